"""Where a picture lies on the square that a network sees, and the way back for its masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from suffice.media.mask_rle import Mask
from suffice.models.protocol import Image

Fit = Literal["pad", "stretch"]
"""SAM keeps the shape and pads below and to the right; its successors squeeze the picture to the square."""

Planes = npt.NDArray[np.float32]
Resize = Callable[[Planes, int, int], Planes]
"""Planes ``[n, h, w]``, the wanted height and width, to planes of that size."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF_MEAN, HALF_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
MASK_ODDS = 10.0


@dataclass(frozen=True)
class Canvas:
    """A picture of `height` x `width` drawn as `height_drawn` x `width_drawn` in the corner of `side` x `side`."""

    height: int
    width: int
    height_drawn: int
    width_drawn: int
    side: int
    fit: Fit

    def scaled(self, xy: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Places ``[…, 2]`` of the picture on the canvas."""
        return (xy * [self.width_drawn / self.width, self.height_drawn / self.height]).astype(np.float32)


def canvas_of(height: int, width: int, side: int, fit: Fit) -> Canvas:
    """The longer side fills the canvas, or both do."""
    if fit == "stretch":
        return Canvas(height, width, side, side, side, fit)
    scale = side / max(height, width)
    return Canvas(height, width, int(height * scale + 0.5), int(width * scale + 0.5), side, fit)


def draw(image: Image, canvas: Canvas, mean: tuple[float, ...], std: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """`image` as a network wants it, float32 ``[1, 3, side, side]``: resized, normalised, then padded with 0."""
    from PIL import Image as Pillow

    wh = (canvas.width_drawn, canvas.height_drawn)
    drawn = np.asarray(Pillow.fromarray(image).resize(wh, Pillow.Resampling.BILINEAR)).astype(np.float32)
    normal = (drawn / np.float32(255) - np.array(mean, np.float32)) / np.array(std, np.float32)
    planes = np.zeros((1, 3, canvas.side, canvas.side), np.float32)
    planes[0, :, : canvas.height_drawn, : canvas.width_drawn] = normal.transpose(2, 0, 1)
    return planes


def restored(logits: Planes, canvas: Canvas, resize: Resize | None = None) -> Planes:
    """Mask logits ``[n, low, low]`` at the size of the picture, ``[n, height, width]``: above 0 is the thing.

    A padded canvas is restored whole first and then cut, as SAM's authors do; a stretched one in one step.

    Args:
        resize: how planes change size; by default :func:`bilinear`, which needs no torch.
    """
    change = resize or bilinear
    planes = logits
    if canvas.fit == "pad":
        planes = change(planes, canvas.side, canvas.side)[:, : canvas.height_drawn, : canvas.width_drawn]
    return change(planes, canvas.height, canvas.width)


def mask_logits(mask: Mask, canvas: Canvas, side: int) -> npt.NDArray[np.float32]:
    """A mask of the picture as the low-resolution logits that networks take for a previous answer, ``[side, side]``."""
    from PIL import Image as Pillow

    grey = Pillow.fromarray(mask.astype(np.float32))
    wh = (canvas.width_drawn * side // canvas.side, canvas.height_drawn * side // canvas.side)
    low = np.zeros((side, side), np.float32)
    low[: wh[1], : wh[0]] = np.asarray(grey.resize(wh, Pillow.Resampling.BILINEAR))
    return np.asarray((low - 0.5) * 2 * MASK_ODDS, np.float32)


def bilinear(planes: npt.NDArray[np.float32], height: int, width: int) -> npt.NDArray[np.float32]:
    """Planes ``[n, h, w]`` at another size: half-pixel centres, edges clamped, no averaging (torch's bilinear)."""
    rows_low, rows_high, rows_share = _sources(planes.shape[1], height)
    cols_low, cols_high, cols_share = _sources(planes.shape[2], width)
    out = np.empty((len(planes), height, width), np.float32)
    for plane, into in zip(planes, out, strict=True):
        across = plane[:, cols_low] * (1 - cols_share) + plane[:, cols_high] * cols_share
        into[:] = across[rows_low] * (1 - rows_share[:, None]) + across[rows_high] * rows_share[:, None]
    return out


def _sources(before: int, after: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    place = np.maximum((np.arange(after) + 0.5) * (before / after) - 0.5, 0)
    low = np.minimum(place.astype(np.intp), before - 1)
    return low, np.minimum(low + 1, before - 1), (place - low).astype(np.float32)
