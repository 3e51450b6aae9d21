"""The part of each frame around its mask, in one size and without jumps, so that it can be painted larger."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box

Floats = npt.NDArray[np.float64]


def smooth_boxes(
    masks: Sequence[Mask], *, padding_px: int = 16, smooth_frames: int = 5, aspect: float = 1
) -> list[Box]:
    """A box a frame: all of one size and of proportions `aspect` (width / height), each around its mask, none moving
    faster than the running mean of the masks' middles.

    Frames without a mask take the box of their neighbours. Where the picture is too small for the size, boxes are cut
    to it, all to the same size.

    Args:
        masks: one a frame, all of one size.
        padding_px: around the mask.
        smooth_frames: over how many frames to each side middles are averaged.
        aspect: of the box.

    Raises:
        UsageError: every mask is empty.
    """
    height, width = masks[0].shape
    tight = _tight_boxes(masks)
    middles = _running_mean((tight[:, :2] + tight[:, 2:]) / 2, smooth_frames)
    half = np.maximum(middles - tight[:, :2], tight[:, 2:] - middles).max(axis=0) + padding_px
    half_width, half_height = max(half[0], half[1] * aspect), max(half[1], half[0] / aspect)
    size = (min(width, int(np.ceil(2 * half_width))), min(height, int(np.ceil(2 * half_height))))
    return [_box(middle, size, (width, height)) for middle in middles]


def _tight_boxes(masks: Sequence[Mask]) -> Floats:
    there = [number for number, mask in enumerate(masks) if mask.any()]
    if not there:
        raise UsageError("the mask is empty in every frame: there is nothing to paint")
    boxes = np.array([mask_box(masks[number]) for number in there], float)
    return np.stack([np.interp(range(len(masks)), there, boxes[:, side]) for side in range(4)], axis=1)


def _running_mean(values: Floats, reach: int) -> Floats:
    """With the ends repeated, so that the first and last frames are as steady as the others."""
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    kernel = np.ones(2 * reach + 1) / (2 * reach + 1)
    return np.stack([np.convolve(padded[:, axis], kernel, "valid") for axis in range(values.shape[1])], axis=1)


def _box(middle: Floats, size: tuple[int, int], picture: tuple[int, int]) -> Box:
    x0, y0 = (
        int(min(max(round(float(at) - length / 2), 0), full - length))
        for at, length, full in zip(middle, size, picture, strict=True)
    )
    return Box(x0, y0, x0 + size[0], y0 + size[1])
