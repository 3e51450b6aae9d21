"""Which cells of some tiles lie in the halo of other tiles."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


@functools.lru_cache(maxsize=4096)
def shared_cells(grid: TileGrid, source: tuple[int, ...], target: tuple[int, ...], halo: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of the cells of tiles `source` that are within `halo` cells of a tile of `target`."""
    from torch.nn import functional

    near = functional.max_pool2d(_mask(grid, target)[None, None], 2 * halo + 1, 1, halo)[0, 0]
    rows, columns = (near * _mask(grid, source)).nonzero(as_tuple=True)
    return rows, columns


def _mask(grid: TileGrid, tiles: tuple[int, ...]) -> Tensor:
    import torch

    chosen = torch.zeros(grid.count)
    chosen[list(tiles)] = 1
    return chosen.reshape(grid.rows, grid.columns).repeat_interleave(grid.tile, 0).repeat_interleave(grid.tile, 1)
