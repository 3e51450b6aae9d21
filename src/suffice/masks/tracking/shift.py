"""How far a patch of a picture moved, without knowing what is on it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.masks.default.view import resized
from suffice.masks.tracking.motion import BoxXyxy
from suffice.models.protocol import Image

SIDE_PX = 64
REACH_SHARE = 0.5


class Shift(NamedTuple):
    """Pixels right and down, and the correlation, -1 to 1, of the patch with what is there."""

    x: float
    y: float
    likeness: float


def shift_of(before: Image, box_xyxy: BoxXyxy, after: Image) -> Shift:
    """Where the patch under `box_xyxy` of `before` is in `after`: the best normalised cross-correlation within half
    a box to every side."""
    width, height = box_xyxy[2] - box_xyxy[0], box_xyxy[3] - box_xyxy[1]
    window = _window(box_xyxy, REACH_SHARE)
    scale = SIDE_PX / max(width, height, 1.0)
    patch = _grey(before, box_xyxy, scale)
    around = _grey(after, window, scale)
    scores = _correlation(around, patch)
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    middle = ((scores.shape[0] - 1) / 2, (scores.shape[1] - 1) / 2)
    return Shift((column - middle[1]) / scale, (row - middle[0]) / scale, float(scores[row, column]))


def _window(box_xyxy: BoxXyxy, share: float) -> BoxXyxy:
    across, down = (box_xyxy[2] - box_xyxy[0]) * share, (box_xyxy[3] - box_xyxy[1]) * share
    return box_xyxy[0] - across, box_xyxy[1] - down, box_xyxy[2] + across, box_xyxy[3] + down


def _grey(image: Image, box_xyxy: BoxXyxy, scale: float) -> npt.NDArray[np.float64]:
    """The grey levels of a box at a scale; beyond the picture its edge goes on."""
    x0, y0, x1, y1 = (round(side) for side in box_xyxy)
    columns = np.clip(np.arange(x0, max(x1, x0 + 1)), 0, image.shape[1] - 1)
    rows = np.clip(np.arange(y0, max(y1, y0 + 1)), 0, image.shape[0] - 1)
    wh = (max(round((box_xyxy[2] - box_xyxy[0]) * scale), 3), max(round((box_xyxy[3] - box_xyxy[1]) * scale), 3))
    return resized(image[np.ix_(rows, columns)], wh).mean(axis=-1, dtype=np.float64)


def _correlation(around: npt.NDArray[np.float64], patch: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Normalised cross-correlation at every place where `patch` fits in `around`."""
    from scipy.signal import fftconvolve

    zero_mean = patch - patch.mean()
    shared = fftconvolve(around, zero_mean[::-1, ::-1], mode="valid")
    ones = np.ones_like(patch)
    total = fftconvolve(around, ones, mode="valid")
    squares = fftconvolve(around**2, ones, mode="valid")
    spread = np.maximum(squares - total**2 / patch.size, 1e-6)
    return np.asarray(shared / np.sqrt(spread * max(float((zero_mean**2).sum()), 1e-6)))
