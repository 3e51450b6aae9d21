"""Where a picture lands on a canvas of fixed size, and the way back for boxes."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.models.protocol import Image

Fit = Literal["stretch", "letterbox", "crop"]
GREY = 114
# ImageNet's evaluation: the middle 224 pixels of a picture whose short side is 256.
CROP_SHARE = 0.875


class Placement(NamedTuple):
    """A picture of `width` by `height` pixels resized to `width_scaled` by `height_scaled` and laid at (`left`, `top`).

    Negative `left` or `top` cut that much off.
    """

    width: int
    height: int
    width_scaled: int
    height_scaled: int
    left: int
    top: int

    def draw(self, image: Image, canvas_wh: tuple[int, int]) -> Image:
        """`image` on a canvas, uint8 ``[height, width, 3]``; what it does not cover is grey."""
        from PIL import Image as Pillow

        resized = Pillow.fromarray(image).resize((self.width_scaled, self.height_scaled), Pillow.Resampling.BILINEAR)
        if resized.size == canvas_wh:
            return np.asarray(resized)
        canvas = Pillow.new("RGB", canvas_wh, (GREY, GREY, GREY))
        canvas.paste(resized, (self.left, self.top))
        return np.asarray(canvas)

    def boxes_in_picture(self, boxes_xyxy: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Boxes ``[n, 4]`` from pixels of the canvas to pixels of the picture, cut at its edges."""
        offset = np.array([self.left, self.top] * 2)
        scale = np.array([self.width / self.width_scaled, self.height / self.height_scaled] * 2)
        return np.asarray(np.clip((boxes_xyxy - offset) * scale, 0, [self.width, self.height] * 2))


def place(width: int, height: int, canvas_wh: tuple[int, int], fit: Fit) -> Placement:
    """``stretch`` fills the canvas, ``letterbox`` shows all with bars, ``crop`` shows the middle (ImageNet's way)."""
    if fit == "stretch":
        return Placement(width, height, *canvas_wh, 0, 0)
    ratios = canvas_wh[0] / width, canvas_wh[1] / height
    ratio = min(ratios) if fit == "letterbox" else max(ratios) / CROP_SHARE
    scaled = max(1, round(width * ratio)), max(1, round(height * ratio))
    return Placement(width, height, *scaled, int((canvas_wh[0] - scaled[0]) / 2), int((canvas_wh[1] - scaled[1]) / 2))
