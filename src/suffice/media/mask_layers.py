"""A picture taken apart along its masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.errors import MediaError
from suffice.media.image import Image
from suffice.media.mask_crop import Rgba, cut_out
from suffice.media.mask_rle import Mask


def split_layers(image: Image, masks: Sequence[Mask]) -> list[Rgba]:
    """One layer a mask, in their order, and last what is left over; each pixel is opaque in exactly one layer.

    Where masks overlap, the smallest gets the pixel, so that a thing upon a thing is not a hole.
    """
    owner = np.full(image.shape[:2], len(masks))
    for index in sorted(range(len(masks)), key=lambda each: -int(masks[each].sum())):
        owner[masks[index]] = index
    return [cut_out(image, owner == index) for index in range(len(masks) + 1)]


def join_layers(layers: Sequence[Rgba]) -> Image:
    """The picture that `layers` came from, bit for bit.

    Raises:
        MediaError: a pixel is opaque in none or in several of them.
    """
    opaque = np.stack([layer[:, :, 3] == 255 for layer in layers])
    if not np.all(opaque.sum(axis=0) == 1):
        raise MediaError("these layers do not cover each pixel once")
    return np.ascontiguousarray(
        np.sum([layer[:, :, :3] * (layer[:, :, 3:] == 255) for layer in layers], axis=0, dtype=np.uint8)
    )
