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
    place = _whole(box_xyxy)
    reach = (round(REACH_SHARE * place.width), round(REACH_SHARE * place.height))
    scale = min(1.0, SIDE_PX / max(place.width, place.height))
    around = _Place(place.x - reach[0], place.y - reach[1], place.width + 2 * reach[0], place.height + 2 * reach[1])
    scores = _correlation(_grey(after, around, scale), _grey(before, place, scale))
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    return Shift(column / scale - reach[0], row / scale - reach[1], float(scores[row, column]))


class _Place(NamedTuple):
    x: int
    y: int
    width: int
    height: int


def _whole(box_xyxy: BoxXyxy) -> _Place:
    """In whole pixels, so that a patch that moved by some is found at exactly that."""
    x0, y0 = round(box_xyxy[0]), round(box_xyxy[1])
    return _Place(x0, y0, max(round(box_xyxy[2] - box_xyxy[0]), 3), max(round(box_xyxy[3] - box_xyxy[1]), 3))


def _grey(image: Image, place: _Place, scale: float) -> npt.NDArray[np.float64]:
    """The grey levels of a place at a scale; beyond the picture its edge goes on."""
    columns = np.clip(np.arange(place.x, place.x + place.width), 0, image.shape[1] - 1)
    rows = np.clip(np.arange(place.y, place.y + place.height), 0, image.shape[0] - 1)
    pixels = image[np.ix_(rows, columns)]
    if scale < 1:
        pixels = resized(pixels, (max(round(place.width * scale), 3), max(round(place.height * scale), 3)))
    return np.asarray(pixels.mean(axis=-1, dtype=np.float64))


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
