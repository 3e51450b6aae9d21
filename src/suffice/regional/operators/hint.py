"""A ControlNet's picture is the same at every step: embedded whole once a request, then cut into the active tiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame


def hint(module: Any, frame: Frame, layer: str, picture: Tensor) -> Tensor:
    """`picture` ``[b, 3, H, W]`` embedded: ``[b, c, h, w]`` in a dense pass, else ``[b·active, c, t, t]``."""
    kept = frame.cache.tensors
    if layer not in kept:
        kept[layer] = type(module).forward(module, picture)
    if frame.active is None:
        return kept[layer]
    return frame.grid.cut(kept[layer])[:, frame.active].flatten(0, 1)
