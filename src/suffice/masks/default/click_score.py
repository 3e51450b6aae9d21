"""How much a reading of a click overlaps, presumably, with what was meant."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from suffice.masks.default.everything import mask_iou
from suffice.masks.found import Candidate
from suffice.media.mask_crop import mask_box

# Ridge regression on composed scenes, a labelled shelf and street, and walkers of the packaged clip; of the data sets
# that the benchmark reports on, it has seen none.
BASE, DETECTED, EXPECTED, LOG_AREA, AGREEMENT, FULLNESS, CUT_SIDES = -0.84, 0.18, 0.69, -0.08, 1.62, -0.31, -0.07


class Reading(NamedTuple):
    """A candidate mask for a click, and whether a detected box led to it."""

    candidate: Candidate
    is_detected: bool


def rated(readings: Sequence[Reading]) -> list[Candidate]:
    """The readings with their estimated IoU, best first.

    What several sizes of neighbourhood agree on, and what fills its box least squarely, was right most often.
    """
    masks = [each.candidate.mask for each in readings]
    rated_ = []
    for each in readings:
        agreement = float(np.mean([mask_iou(each.candidate.mask, other) for other in masks]))
        rated_.append(Candidate(each.candidate.mask, _estimate(each, agreement)))
    return sorted(rated_, key=lambda each: -each.score)


def _estimate(reading: Reading, agreement: float) -> float:
    mask = reading.candidate.mask
    area, box = int(np.count_nonzero(mask)), mask_box(mask)
    fullness = area / ((box.x1 - box.x0) * (box.y1 - box.y0))
    height, width = mask.shape
    cut = (box.x0 == 0) + (box.y0 == 0) + (box.x1 == width) + (box.y1 == height)
    estimate = (
        BASE
        + DETECTED * reading.is_detected
        + EXPECTED * reading.candidate.score
        + LOG_AREA * math.log(area / mask.size)
        + AGREEMENT * agreement
        + FULLNESS * fullness
        + CUT_SIDES * cut / 4
    )
    return float(min(max(estimate, 0.01), 0.99))
