"""From word maps to tiles: which belong to what the words name, and what share of attention each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


def otsu_threshold(values: NDArray[np.float64], bins: int = 64) -> float:
    """The cut between two classes of largest variance between them (Otsu 1979)."""
    import numpy as np

    counts, edges = np.histogram(values, bins=bins)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * middles)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1:][np.nanargmax(np.nan_to_num(between))])


def subject_tiles(word_maps: Tensor, grid: TileGrid, dilate: int = 1) -> Tensor:
    """Booleans ``[tiles]``: some word's map, cut at Otsu's threshold and grown by `dilate` cells, touches the tile."""
    import torch
    from torch.nn import functional

    cuts = [otsu_threshold(one.double().cpu().numpy().ravel()) for one in word_maps]
    mask = (word_maps > torch.tensor(cuts, device=word_maps.device)[:, None, None]).any(0)
    grown = functional.max_pool2d(mask.float()[None, None], 2 * dilate + 1, 1, dilate)
    return functional.max_pool2d(grown, grid.tile).flatten() > 0


def attention_share(word_maps: Tensor, grid: TileGrid) -> Tensor:
    """Of each tile its attention against an even spread, averaged over words: ``[tiles]`` with mean 1."""
    share = grid.cut(word_maps.mean(0)[None, None]).mean((0, 2, 3, 4))
    return share / share.mean().clamp_min(1e-12)
