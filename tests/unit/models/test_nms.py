from __future__ import annotations

import numpy as np
import pytest

from suffice.models.nms import iou, nms


def iou_of_two(one: np.ndarray, other: np.ndarray) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (area - shared)


def greedy(boxes: np.ndarray, scores: np.ndarray, classes: np.ndarray, iou_max: float) -> list[int]:
    """The definition, in loops."""
    kept: list[int] = []
    for candidate in sorted(range(len(scores)), key=lambda index: -scores[index]):
        rivals = [one for one in kept if classes[one] == classes[candidate]]
        if all(iou_of_two(boxes[one], boxes[candidate]) <= iou_max for one in rivals):
            kept.append(candidate)
    return kept


@pytest.mark.parametrize("seed", range(20))
def test_equals_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 120))
    corners = rng.uniform(0, 60, (count, 2))
    boxes = np.hstack([corners, corners + rng.uniform(5, 40, (count, 2))]).astype(np.float32)
    scores = rng.choice(np.linspace(0.1, 0.9, 30), count).astype(np.float32)
    classes = rng.integers(0, 3, count)
    for iou_max in (0.2, 0.5, 0.8):
        kept = nms(boxes, scores, classes, iou_max)
        assert kept.tolist() == greedy(boxes, scores, classes, iou_max)


def test_classes_do_not_suppress_each_other() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 10], [1, 0, 10, 10]], dtype=np.float32)
    kept = nms(boxes, np.array([0.5, 0.9, 0.8], dtype=np.float32), np.array([0, 1, 1]), 0.5)
    assert kept.tolist() == [1, 0]


def test_nothing_in_nothing_out() -> None:
    assert nms(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.intp), 0.5).tolist() == []


def test_boxes_without_area_meet_nobody() -> None:
    boxes = np.array([[5, 5, 5, 5], [5, 5, 5, 5], [0, 0, 10, 10]], dtype=np.float32)
    assert iou(boxes)[0].tolist() == [0, 0, 0]
