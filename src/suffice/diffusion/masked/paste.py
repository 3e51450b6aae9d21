"""What was painted, put over the source; outside the mask the source bit for bit."""

from __future__ import annotations

import numpy as np

from suffice.media.image import Image
from suffice.media.mask_crop import paste
from suffice.media.mask_feather import feather
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box


def paste_painted(source: Image, painted: Image, mask: Mask, box: Box | None = None, feather_px: float = 0) -> Image:
    """`source` with `painted` where `mask` is set, fading in from the mask's edge over `feather_px` inwards.

    Args:
        source: the frame.
        painted: of the size of `box`, or of the frame.
        mask: of the size of the frame.
        box: where `painted` belongs; by default the whole frame.
        feather_px: width of the soft edge; it never reaches out of the mask.
    """
    height, width = source.shape[:2]
    box = box or Box(0, 0, width, height)
    inside = mask[box.y0 : box.y1, box.x0 : box.x1]
    opacity = np.where(inside, feather(inside, feather_px), 0).astype(np.uint8)
    return paste(source, np.dstack([painted, opacity]), box)
