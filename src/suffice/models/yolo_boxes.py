"""Detections in the output tensors of the YOLO families."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.models.nms import nms

Tensor = npt.NDArray[Any]
# Bounds the n² of suppression when min_score is near 0.
CANDIDATES_MAX = 1000


class Detections(NamedTuple):
    """Boxes ``[n, 4]`` in pixels of the net's input, with a score and a class each, best first."""

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    class_ids: npt.NDArray[np.intp]


def yolo_class_count(shape: tuple[int, int]) -> int | None:
    """How many classes an output of `shape` (without the batch axis) has scores for; None when it does not tell."""
    rows, columns = shape
    if columns == 6 and rows > 6:
        return None
    return rows - 4 if rows < columns else columns - 5


def yolo_detections(output: Tensor, min_score: float, iou_max: float) -> Detections:
    """Read one picture's `output`, told apart by its shape.

    ``[4 + classes, n]`` (v8 and later): centre, size, a score a class; ``[n, 5 + classes]`` (v5, v7): centre,
    size, objectness, a score a class given an object; ``[n, 6]`` (end-to-end, v10): corners, score, class,
    already suppressed.
    """
    rows, columns = output.shape
    if columns == 6 and rows > 6:
        keep = output[:, 4] >= min_score
        order = np.argsort(-output[keep, 4], kind="stable")
        found = output[keep][order].astype(np.float32)
        return Detections(found[:, :4], found[:, 4], found[:, 5].astype(np.intp))
    table = output.T if rows < columns else output
    scores = table[:, 4:] if rows < columns else table[:, 5:] * table[:, 4:5]
    return _suppressed(table[:, :4], scores.astype(np.float32), min_score, iou_max)


def _suppressed(boxes_cxcywh: Tensor, scores: Tensor, min_score: float, iou_max: float) -> Detections:
    class_ids = scores.argmax(axis=1)
    best = scores.max(axis=1)
    chosen = np.argsort(-best, kind="stable")[:CANDIDATES_MAX]
    chosen = chosen[best[chosen] >= min_score]
    half = boxes_cxcywh[chosen, 2:] / 2
    centre = boxes_cxcywh[chosen, :2]
    boxes_xyxy = np.hstack([centre - half, centre + half]).astype(np.float32)
    kept = nms(boxes_xyxy, best[chosen], class_ids[chosen], iou_max)
    return Detections(boxes_xyxy[kept], best[chosen][kept], class_ids[chosen][kept])
