"""Masks without the holes and specks that nobody meant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.media.mask_rle import Mask

Labels = npt.NDArray[np.int32]


def fill_holes(mask: Mask, area_px_max: int | None = None) -> Mask:
    """`mask` with the background that it encloses (4-connected), each hole up to `area_px_max`, by default any."""
    parts, kept = _parts(~mask)
    if area_px_max is not None:
        kept |= np.bincount(parts.ravel(), minlength=len(kept)) > area_px_max
    for edge in (parts[:1], parts[-1:], parts[:, :1], parts[:, -1:]):
        kept[edge] = True
    kept[0] = False
    return ~kept[parts]


def drop_islands(mask: Mask, area_px_min: int) -> Mask:
    """`mask` without connected parts (4-connected) smaller than `area_px_min`."""
    parts, kept = _parts(mask)
    kept |= np.bincount(parts.ravel(), minlength=len(kept)) >= area_px_min
    kept[0] = False
    return np.asarray(kept[parts])


def largest_island(mask: Mask) -> Mask:
    """The largest connected part (4-connected) of `mask`; an empty mask stays empty."""
    parts, kept = _parts(mask)
    areas = np.bincount(parts.ravel(), minlength=len(kept))[1:]
    if len(areas):
        kept[areas.argmax() + 1] = True
    return np.asarray(kept[parts])


def _parts(mask: Mask) -> tuple[Labels, Mask]:
    """The number of the part of each pixel, 0 for none, and one False a number."""
    from scipy import ndimage

    parts, count = ndimage.label(mask)
    return parts, np.zeros(count + 1, bool)
