"""Where the picture looks at which word: cross-attention recorded in the last warm-up steps."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


class AttentionRecorder:
    """Sums attention probabilities over heads, layers and steps, by the number of cells of the layer's map."""

    def __init__(self, pictures: int) -> None:
        self.pictures = pictures
        self.sums: dict[int, Tensor] = {}
        self.counts: dict[int, int] = defaultdict(int)

    def record(self, module: Any, query: Tensor, key: Tensor) -> None:
        """`query` ``[b, cells, c]``, `key` ``[b, words, c]``; only the half with the prompt counts."""
        query, key = (one[-self.pictures :].unflatten(-1, (module.heads, -1)).transpose(1, 2) for one in (query, key))
        scores = (query.float() @ key.float().transpose(-1, -2)) * query.shape[-1] ** -0.5
        words = scores.softmax(-1).mean((0, 1))
        cells = words.shape[0]
        self.sums[cells] = self.sums[cells] + words if cells in self.sums else words
        self.counts[cells] += 1

    def maps(self, grid: TileGrid, words: list[int]) -> Tensor:
        """Maps ``[words, h, w]`` of the token positions `words`, each from 0 to 1, at the latent's size.

        Coarser layers know best what is where, so the latent's own resolution counts only when there is no other.
        """
        import torch
        from torch.nn import functional

        whole = grid.height * grid.width
        coarse = [cells for cells in self.sums if cells < whole and cells >= 16] or list(self.sums)
        layers = []
        for cells in coarse:
            at = grid.of_tokens(cells)
            one = (self.sums[cells] / self.counts[cells])[:, words].T.reshape(1, len(words), at.height, at.width)
            layers.append(functional.interpolate(one, (grid.height, grid.width), mode="bilinear", align_corners=False))
        maps = torch.stack(layers).mean(0)[0]
        low, high = maps.amin((1, 2), keepdim=True), maps.amax((1, 2), keepdim=True)
        return (maps - low) / (high - low).clamp_min(1e-12)
