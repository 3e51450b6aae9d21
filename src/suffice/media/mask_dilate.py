"""Masks grown and shrunk by an exact radius."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.media.mask_rle import Mask

_FAR = np.int16(-(2**14))
RADIUS_PX_MAX = 8000
PACKED_RADIUS_PX_MAX = 24
"""Up to here rows of bits are faster than scans, whose time does not depend on the radius."""

_Words = npt.NDArray[np.uint64]


def dilate(mask: Mask, radius_px: float) -> Mask:
    """Every pixel whose centre is at most `radius_px` from the centre of a pixel of `mask`: a dot becomes a disk.

    Exact for any radius. A small disk is a pile of rows, 64 pixels at a time. For a large one rows are scanned
    for the distance to the nearest set pixel above or below, which leaves ``sqrt(r² - d²)`` to go sideways, and
    columns for whatever that reaches, in time that does not depend on the radius (after Meijster et al. 2000, A general
    algorithm for computing distance transforms in linear time).

    Raises:
        UsageError: a negative radius, or one above :data:`RADIUS_PX_MAX`.
    """
    if not 0 <= radius_px <= RADIUS_PX_MAX:
        raise UsageError(f"a mask grows by 0 to {RADIUS_PX_MAX} pixels, not by {radius_px}")
    if radius_px <= PACKED_RADIUS_PX_MAX:
        return _dilate_packed(np.ascontiguousarray(mask), radius_px) if mask.size else mask.copy()
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


def _dilate_packed(mask: Mask, radius_px: float) -> Mask:
    """The disk as a pile of rows: each width of row once, over 64 pixels at a time, then moved up and down."""
    reach = math.floor(radius_px)
    widths = [math.floor(math.sqrt(radius_px**2 - away**2)) for away in range(reach + 1)]
    spans = _spans(_packed(mask, 2 * reach), sorted(set(widths)))
    grown = spans[widths[0]].copy()
    for away in range(1, min(reach, len(grown) - 1) + 1):
        span = spans[widths[away]]
        grown[away:] |= span[:-away]
        grown[:-away] |= span[away:]
    bits = np.unpackbits(grown.view(np.uint8), axis=1, count=mask.shape[1], bitorder="little")
    return bits.view(bool)


def _packed(mask: Mask, room_px: int) -> _Words:
    """64 pixels a word, the leftmost lowest, with room to the right for what moves there."""
    words = -(-(mask.shape[1] + room_px) // 64)
    packed = np.zeros((mask.shape[0], words * 8), np.uint8)
    bits = np.packbits(mask, axis=1, bitorder="little")
    packed[:, : bits.shape[1]] = bits
    return packed.view("<u8")


def _spans(words: _Words, widths: list[int]) -> dict[int, _Words]:
    """For each of the rising `widths` w: set where a pixel at most w to the left or right is."""
    spans = {}
    right, reach = words, 0
    for width in widths:
        while reach < 2 * width:
            step = min(reach + 1, 2 * width - reach)
            right = right | _moved(right, step)
            reach += step
        spans[width] = _moved(right, -width)
    return spans


def _moved(words: _Words, pixels: int) -> _Words:
    """To the right, or to the left when negative, by less than 64 pixels: all rows as one, for what leaves a row to the
    left lands in the room of the one above."""
    if pixels == 0:
        return words
    by, rest, row = np.uint64(abs(pixels)), np.uint64(64 - abs(pixels)), words.ravel()
    if pixels > 0:
        moved = row << by
        moved[1:] |= row[:-1] >> rest
    else:
        moved = row >> by
        moved[:-1] |= row[1:] << rest
    return moved.reshape(words.shape)


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
