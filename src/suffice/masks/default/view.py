"""The part of a picture that a prompt is about, at the size it is looked at."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.media.reference import Box
from suffice.models.protocol import Image

SIDE_PX = 144
MARGIN_SHARE = 0.35
MARGIN_SHARE_OF_LONGER = 0.12
MARGIN_PX_MIN = 4

Plane = npt.NDArray[np.float32]
"""One number a pixel of a view, float32 ``[height, width]``."""


class View(NamedTuple):
    """A window of a picture, and how large it is drawn.

    Attributes:
        pixels: the window as it is, uint8 ``[height, width, 3]``.
        window: where it lies in the picture.
        work_wh: width and height it is looked at in.
    """

    pixels: Image
    window: Box
    work_wh: tuple[int, int]

    def at_work(self) -> Image:
        """The window at work size."""
        return resized(self.pixels, self.work_wh)

    def to_work(self, x: float, y: float) -> tuple[float, float]:
        """A place in the picture, in work pixels."""
        width, height = self.window.x1 - self.window.x0, self.window.y1 - self.window.y0
        return (x - self.window.x0) * self.work_wh[0] / width, (y - self.window.y0) * self.work_wh[1] / height

    def box_at_work(self, box_xyxy: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """A box of the picture, in work pixels."""
        return (*self.to_work(*box_xyxy[:2]), *self.to_work(*box_xyxy[2:]))


def view_of(image: Image, box_xyxy: tuple[float, float, float, float], side_px: int = SIDE_PX) -> View:
    """The window around `box_xyxy` with enough beyond it to know what the ground looks like."""
    x0, y0, x1, y1 = box_xyxy
    width, height = x1 - x0, y1 - y0
    least = max(MARGIN_SHARE_OF_LONGER * max(width, height), MARGIN_PX_MIN)
    across, down = max(MARGIN_SHARE * width, least), max(MARGIN_SHARE * height, least)
    window = Box(
        max(math.floor(x0 - across), 0),
        max(math.floor(y0 - down), 0),
        min(math.ceil(x1 + across), image.shape[1]),
        min(math.ceil(y1 + down), image.shape[0]),
    )
    scale = side_px / max(window.x1 - window.x0, window.y1 - window.y0)
    work_wh = (
        max(round((window.x1 - window.x0) * scale), 16),
        max(round((window.y1 - window.y0) * scale), 16),
    )
    return View(image[window.y0 : window.y1, window.x0 : window.x1], window, work_wh)


def resized(pixels: Image, wh: tuple[int, int]) -> Image:
    """`pixels` at another size: averaged when it gets smaller."""
    from PIL import Image as Pillow

    how = Pillow.Resampling.BOX if pixels.shape[1] > wh[0] else Pillow.Resampling.BICUBIC
    return np.asarray(Pillow.fromarray(np.ascontiguousarray(pixels)).resize(wh, how))


def stretched(plane: Plane, wh: tuple[int, int]) -> Plane:
    """`plane` at another size, bilinear."""
    from PIL import Image as Pillow

    return np.asarray(Pillow.fromarray(plane.astype(np.float32)).resize(wh, Pillow.Resampling.BILINEAR))
