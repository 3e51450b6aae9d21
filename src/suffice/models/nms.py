"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


def nms(
    boxes_xyxy: FloatArray, scores: FloatArray, class_ids: npt.NDArray[np.intp], iou_max: float
) -> npt.NDArray[np.intp]:
    """Indices of the boxes to keep, best score first.

    Greedy: a box goes when a better kept one of its own class covers it with an IoU above `iou_max`.
    Shapes ``[n, 4]``, ``[n]``, ``[n]``; equal scores keep their order.
    """
    order = np.argsort(-scores, kind="stable")
    rivals = (iou(boxes_xyxy[order]) > iou_max) & (class_ids[order, None] == class_ids[None, order])
    alive = np.ones(len(order), dtype=bool)
    for index in range(len(order)):
        if alive[index]:
            alive[index + 1 :] &= ~rivals[index, index + 1 :]
    return order[alive]


def iou(boxes_xyxy: FloatArray) -> FloatArray:
    """Intersection over union of every two of `boxes_xyxy` ``[n, 4]``: ``[n, n]``; 0 for boxes without area."""
    low = np.maximum(boxes_xyxy[:, None, :2], boxes_xyxy[None, :, :2])
    high = np.minimum(boxes_xyxy[:, None, 2:], boxes_xyxy[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=2)
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(axis=1)
    return np.asarray(shared / np.maximum(areas[:, None] + areas[None, :] - shared, 1e-9), dtype=np.float32)
