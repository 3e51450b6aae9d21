"""The mask that overlaps best, on average over what the truth may be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Cut(NamedTuple):
    """Pixels at or above `threshold` are the mask; `iou` is what to expect of it."""

    threshold: float
    iou: float


def best_cut(probability: npt.NDArray[np.float32]) -> Cut:
    """The threshold on `probability` (any shape) with the highest expected intersection over union.

    Of all masks of one size the likeliest pixels are best, so only thresholds need trying. With p of them known to
    belong, a mask S has expected IoU of about ``sum_S p / (|S| + sum_outside p)``: when nothing is sure, everything
    possible is taken; when much is sure, only that. (As in Nowozin 2014, Optimal decisions from probabilistic models.)
    """
    falling = np.sort(probability.ravel())[::-1].astype(np.float64)
    inside = np.cumsum(falling)
    expected = inside / (np.arange(1, len(falling) + 1) + inside[-1] - inside)
    best = int(expected.argmax())
    return Cut(float(falling[best]), float(expected[best]))


def expected_iou(probability: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
    """Of `mask` when pixels belong with `probability`."""
    inside = float(probability[mask].sum())
    return inside / max(float(mask.sum()) + float(probability.sum()) - inside, 1e-9)
