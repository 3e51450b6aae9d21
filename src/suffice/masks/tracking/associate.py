"""Which of this frame's boxes is which of the things known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from suffice.masks.tracking.motion import BoxXyxy
from suffice.models.nms import iou


class Pairs(NamedTuple):
    """Indices: known to seen, and what was left over of both."""

    matched: list[tuple[int, int]]
    known_left: list[int]
    seen_left: list[int]


def associate(
    known: Sequence[BoxXyxy],
    known_labels: Sequence[str],
    seen: Sequence[BoxXyxy],
    seen_labels: Sequence[str],
    iou_min: float,
) -> Pairs:
    """The assignment with the most overlap in sum; a pair has one label and overlaps by at least `iou_min`."""
    from scipy.optimize import linear_sum_assignment

    if not known or not seen:
        return Pairs([], list(range(len(known))), list(range(len(seen))))
    overlap = iou(np.array([*known, *seen], np.float32))[: len(known), len(known) :]
    same = np.array([[a == b for b in seen_labels] for a in known_labels])
    gain = np.where(same & (overlap >= iou_min), overlap, 0)
    rows, columns = linear_sum_assignment(-gain)
    matched = [(int(r), int(c)) for r, c in zip(rows, columns, strict=True) if gain[r, c] > 0]
    taken, met = {r for r, _ in matched}, {c for _, c in matched}
    return Pairs(
        matched, [i for i in range(len(known)) if i not in taken], [i for i in range(len(seen)) if i not in met]
    )
