"""Thin edges of a picture, as the edge ControlNet was taught to read them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LEAST = 0.08  # of the full range, between neighbours


def _ridge(strength: NDArray[np.float32], axis: int) -> NDArray[np.bool_]:
    before, after = np.roll(strength, 1, axis), np.roll(strength, -1, axis)
    return (strength >= before) & (strength > after)


def edges(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the edges of an RGB picture [h, w, 3] as 0 or 255, uint8 [h, w], about one pixel wide.

    A pixel is an edge where the colour changes by more than a threshold across it, and by more there than beside it.
    """
    shade = np.pad(rgb.astype(np.float32) / 255, ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = np.abs(shade[1:-1, 2:] - shade[1:-1, :-2]).max(-1) / 2
    down = np.abs(shade[2:, 1:-1] - shade[:-2, 1:-1]).max(-1) / 2
    ridge: NDArray[np.bool_] = np.where(across >= down, _ridge(across, 1), _ridge(down, 0))
    strong = np.maximum(across, down) > _LEAST
    return np.where(strong & ridge, np.uint8(255), np.uint8(0))


def as_hint(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a picture's edges as a ControlNet hint: float32 [3, h, w] in [0, 1]."""
    return np.repeat(edges(rgb)[None].astype(np.float32) / 255, 3, axis=0)
