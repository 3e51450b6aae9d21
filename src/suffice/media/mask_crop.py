"""A thing cut out of its picture, and put back where it was."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from suffice.errors import MediaError
from suffice.media.image import Image
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box

Rgba = npt.NDArray[np.uint8]
"""Pixels with opacity, uint8 ``[height, width, 4]``, not premultiplied."""


def mask_box(mask: Mask, padding_px: int = 0) -> Box:
    """The smallest box around `mask`, `padding_px` wider on each side as far as the picture goes.

    Raises:
        MediaError: the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise MediaError("an empty mask has no box")
    height, width = mask.shape
    return Box(
        max(int(columns[0]) - padding_px, 0),
        max(int(rows[0]) - padding_px, 0),
        min(int(columns[-1]) + 1 + padding_px, width),
        min(int(rows[-1]) + 1 + padding_px, height),
    )


def inside(box_xyxy: Sequence[float], width: int, height: int) -> Box:
    """`box_xyxy` grown to whole pixels and cut to a picture of `width` x `height`; raises when nothing is left."""
    x0, y0 = max(math.floor(box_xyxy[0]), 0), max(math.floor(box_xyxy[1]), 0)
    x1, y1 = min(math.ceil(box_xyxy[2]), width), min(math.ceil(box_xyxy[3]), height)
    if x0 >= x1 or y0 >= y1:
        shown = ",".join(f"{value:g}" for value in box_xyxy)
        raise MediaError(f"the box {shown} covers nothing of a picture of {width} x {height}")
    return Box(x0, y0, x1, y1)


def cut_out(image: Image, alpha: npt.NDArray[np.bool_] | npt.NDArray[np.uint8], box: Box | None = None) -> Rgba:
    """`image` with `alpha` (a mask, or opacity 0 to 255), cut to `box`; the colours stay under what is transparent."""
    opacity = alpha.astype(np.uint8) * 255 if alpha.dtype == bool else alpha
    layered: Rgba = np.dstack([image, opacity]).astype(np.uint8, copy=False)
    return layered if box is None else np.ascontiguousarray(layered[box.y0 : box.y1, box.x0 : box.x1])


def paste(image: Image, layer: Rgba, box: Box) -> Image:
    """A copy of `image` with `layer` over it at `box`; where its opacity is 0, `image` bit for bit."""
    pasted = image.copy()
    below = pasted[box.y0 : box.y1, box.x0 : box.x1]
    opacity = layer[:, :, 3:].astype(np.uint16)
    mixed = (layer[:, :, :3] * opacity + below * (255 - opacity) + 127) // 255
    below[:] = mixed.astype(np.uint8)
    return pasted
