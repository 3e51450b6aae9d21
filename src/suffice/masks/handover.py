"""One object from a mask to whoever paints in it: picture, mask, the part to work on, and where they are from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from suffice.errors import UsageError
from suffice.masks.found import FoundThing
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask, Rle, encode_rle
from suffice.media.reference import Box
from suffice.models.protocol import Image

MULTIPLE_PX = 8


@dataclass(frozen=True, eq=False)
class Handover:
    """What a painter needs.

    Attributes:
        image: uint8 ``[height, width, 3]``.
        mask: what to repaint.
        crop: the part to work on, its sides multiples of :data:`MULTIPLE_PX` where the picture allows.
        provenance: model, prompt, file: whatever says how the mask came about, for the painter's own record.
    """

    image: Image
    mask: Mask
    crop: Box
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def cropped(self) -> tuple[Image, Mask]:
        """Picture and mask of the crop."""
        y, x = slice(self.crop.y0, self.crop.y1), slice(self.crop.x0, self.crop.x1)
        return self.image[y, x], self.mask[y, x]

    def pasted(self, painted: Image) -> Image:
        """`painted` (of the crop's size) put back; every pixel outside the mask is the picture's own, bit for bit.

        Raises:
            UsageError: it is of another size.
        """
        image, mask = self.cropped()
        if painted.shape != image.shape:
            raise UsageError(f"painted is {painted.shape[1]} x {painted.shape[0]}, the crop is not")
        whole = self.image.copy()
        part = whole[self.crop.y0 : self.crop.y1, self.crop.x0 : self.crop.x1]
        part[mask] = painted[mask]
        return whole

    def as_json(self) -> dict[str, Any]:
        """Without the picture: the mask as run lengths, the crop, and the provenance."""
        rle: Rle = encode_rle(self.mask)
        return {"mask": rle, "crop_xyxy": list(self.crop), "provenance": dict(self.provenance)}


def hand_over(image: Image, mask: Mask, padding_px: int = 32, provenance: Mapping[str, Any] | None = None) -> Handover:
    """`mask` of `image` with a crop around it.

    Raises:
        UsageError: the mask is empty or of another size.
    """
    if mask.shape != image.shape[:2]:
        raise UsageError(f"a mask of {mask.shape[1]} x {mask.shape[0]} for {image.shape[1]} x {image.shape[0]} pixels")
    if not mask.any():
        raise UsageError("an empty mask has nothing to hand over")
    return Handover(image, np.asarray(mask, bool), _rounded(mask_box(mask, padding_px), *mask.shape), provenance or {})


def of_thing(image: Image, thing: FoundThing, padding_px: int = 32, **provenance: Any) -> Handover:
    """A found thing handed over, its label and score in the provenance."""
    known = {"label": thing.label, "score": thing.score, **provenance}
    return hand_over(image, thing.mask, padding_px, known)


def _rounded(box: Box, height: int, width: int) -> Box:
    x0, x1 = _side(box.x0, box.x1, width)
    y0, y1 = _side(box.y0, box.y1, height)
    return Box(x0, y0, x1, y1)


def _side(low: int, high: int, limit: int) -> tuple[int, int]:
    """Longer up to a multiple, towards the end first, then towards the beginning."""
    length = min(-(-(high - low) // MULTIPLE_PX) * MULTIPLE_PX, limit)
    high = min(low + length, limit)
    return high - length, high
