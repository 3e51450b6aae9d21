"""GroupNorm over all tiles when only some are new: exact, from a table of every tile's own mean and squared deviation.

A tile's row is replaced when the tile runs, and rows are merged by the parallel-variance formula (Chan, Golub, LeVeque
1979), so nothing drifts however many steps pass. Old rows of tiles that did not run stand for them: over what is kept
this is the exact norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame
    from suffice.regional.tiles import TileGrid


def group_norm(module: Any, frame: Frame, layer: str, maps: Tensor) -> Tensor:
    """`maps` ``[b·active, c, t, t]`` (or whole maps) normalised by the moments of every tile."""
    if frame.active is None:
        frame.cache.tensors[layer] = dense_moments(maps, frame.grid.scaled(maps.shape[2]), module.num_groups)
        return type(module).forward(module, maps)
    table = renewed_moments(module, frame, layer, maps)
    return normalised(module, maps, *merged(table, maps[0].numel() // module.num_groups))


def renewed_moments(module: Any, frame: Frame, layer: str, maps: Tensor) -> Tensor:
    """The moments of every tile ``[b, tiles, groups, 2]``, those of the active ones new."""
    fresh = tile_moments(maps, frame.batch, module.num_groups)
    table = frame.kept(layer, (frame.batch, frame.grid.count, module.num_groups, 2), fresh)
    table[:, frame.active] = fresh
    frame.exchange.moments(layer, table)
    return table


def tile_moments(maps: Tensor, batch: int, groups: int) -> Tensor:
    """Mean and sum of squared deviations of each tile and group: ``[b, active, groups, 2]``."""
    import torch

    cells = maps.reshape(batch, -1, groups, maps[0].numel() // groups)
    variance, mean = torch.var_mean(cells.float(), dim=-1, correction=0)
    return torch.stack([mean, variance * cells.shape[-1]], dim=-1)


def dense_moments(maps: Tensor, grid: TileGrid, groups: int) -> Tensor:
    """The same table from whole maps: ``[b, tiles, groups, 2]``."""
    import torch

    batch, channels = maps.shape[:2]
    split = maps.reshape(batch, groups, channels // groups, grid.rows, grid.tile, grid.columns, grid.tile)
    variance, mean = torch.var_mean(split.float(), dim=(2, 4, 6), correction=0)
    cells = channels // groups * grid.tile**2
    return torch.stack([mean, variance * cells], dim=-1).flatten(2, 3).transpose(1, 2).contiguous()


def merged(table: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of each group ``[b, groups]`` over all tiles of `cells` values each."""
    mean = table[..., 0].mean(1)
    between = (table[..., 0] - mean[:, None]).square().mean(1)
    return mean, table[..., 1].mean(1) / cells + between


def normalised(module: Any, maps: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Apply given moments, and the layer's own scale and shift."""
    batch, channels = mean.shape[0], maps.shape[1]
    each = channels // module.num_groups
    scale = (variance + module.eps).rsqrt().repeat_interleave(each, 1)
    shift = -mean.repeat_interleave(each, 1) * scale
    if module.affine:
        scale, shift = scale * module.weight, shift * module.weight + module.bias
    tiles = maps.reshape(batch, -1, *maps.shape[1:])
    scale, shift = (one.to(maps.dtype)[:, None, :, None, None] for one in (scale, shift))
    return (tiles * scale + shift).reshape(maps.shape)
