"""Boxes that a detector found, on their way from the net's pixels to the picture's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.models.nms import nms


class FoundBoxes(NamedTuple):
    """Boxes ``[n, 4]`` (x0, y0, x1, y1 in pixels) with a score and a class each."""

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.intp]


def settle(found: FoundBoxes, net_wh: tuple[int, int], picture_wh: tuple[int, int], iou_max: float) -> FoundBoxes:
    """`found` in a net's input of `net_wh` pixels: suppressed, best first, in and inside a picture of `picture_wh`."""
    kept = nms(*found, iou_max=iou_max)
    scale = np.array(picture_wh * 2) / np.array(net_wh * 2)
    boxes_xyxy = np.clip(found.boxes_xyxy[kept] * scale, 0, picture_wh * 2)
    return FoundBoxes(boxes_xyxy, found.scores[kept], found.class_ids[kept])
