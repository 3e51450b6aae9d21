"""Masks grown and shrunk by an exact radius."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.media.mask_rle import Mask

_FAR = np.int16(-(2**14))
RADIUS_PX_MAX = 8000


def dilate(mask: Mask, radius_px: float) -> Mask:
    """Every pixel whose centre is at most `radius_px` from the centre of a pixel of `mask`: a dot becomes a disk.

    Exact for any radius, in time that does not depend on it: rows are scanned for the distance to the nearest set
    pixel above or below, which leaves ``sqrt(r² - d²)`` to go sideways, and columns for whatever that reaches
    (after Meijster et al. 2000, A general algorithm for computing distance transforms in linear time).

    Raises:
        UsageError: a negative radius, or one above :data:`RADIUS_PX_MAX`.
    """
    if not 0 <= radius_px <= RADIUS_PX_MAX:
        raise UsageError(f"a mask grows by 0 to {RADIUS_PX_MAX} pixels, not by {radius_px}")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    grown = np.zeros(mask.shape, bool)
    if len(rows):
        reach = math.floor(radius_px)
        part = (
            slice(max(rows[0] - reach, 0), rows[-1] + reach + 1),
            slice(max(columns[0] - reach, 0), columns[-1] + reach + 1),
        )
        grown[part] = _dilate(mask[part], radius_px)
    return grown


def erode(mask: Mask, radius_px: float) -> Mask:
    """Every pixel of `mask` further than `radius_px` from all pixels that are not in it; beyond the picture counts
    as inside, so a thing cut off by the edge does not shrink from it."""
    return ~dilate(~mask, radius_px)


def _dilate(mask: Mask, radius_px: float) -> Mask:
    sideways = _sideways(radius_px)[_rows_away(mask, math.floor(radius_px))]
    position = np.arange(mask.shape[1], dtype=np.int16)
    from_left = np.maximum.accumulate(sideways + position, axis=1) >= position
    mirrored = (sideways + position[::-1])[:, ::-1]
    from_right = (np.maximum.accumulate(mirrored, axis=1) >= position)[:, ::-1]
    return np.asarray(from_left | from_right)


def _sideways(radius_px: float) -> npt.NDArray[np.int16]:
    """For each distance along the column, pixels left to go along the row; far below 0 where it is too far."""
    reach = math.floor(radius_px)
    ways = [math.floor(math.sqrt(radius_px**2 - away**2)) for away in range(reach + 1)]
    return np.array([*ways, _FAR], np.int16)


def _rows_away(mask: Mask, reach: int) -> npt.NDArray[np.int16]:
    """Rows to the nearest set pixel of the same column, at most ``reach + 1``."""
    away = np.where(mask, np.int16(0), np.int16(reach + 1))
    for row in range(1, len(away)):
        np.minimum(away[row], away[row - 1] + 1, out=away[row])
    for row in range(len(away) - 2, -1, -1):
        np.minimum(away[row], away[row + 1] + 1, out=away[row])
    return away
