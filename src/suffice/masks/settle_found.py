"""What a finder found, in order, once each, and only what was chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.masks.backend import Found
from suffice.masks.prompt import Prompt, PromptOutsideError
from suffice.models.nms import nms


def settle_found(found: Sequence[Found], prompt: Prompt) -> list[Found]:
    """Best first; of two of one label that overlap above ``prompt.iou_max`` the better; only the chosen numbers.

    Raises:
        PromptOutsideError: a number is chosen that no found box has.
    """
    kept = _distinct(found, prompt.iou_max)
    if prompt.chosen is None:
        return kept
    for number in prompt.chosen:
        if not 0 <= number < len(kept):
            raise PromptOutsideError(f"there is no box {number}: {len(kept)} were found, numbered from 0")
    return [kept[number] for number in prompt.chosen]


def _distinct(found: Sequence[Found], iou_max: float) -> list[Found]:
    if not found:
        return []
    labels = sorted({each.label for each in found})
    boxes = np.array([each.box_xyxy for each in found], np.float32)
    scores = np.array([each.score for each in found], np.float32)
    classes = np.array([labels.index(each.label) for each in found], np.intp)
    return [found[index] for index in nms(boxes, scores, classes, iou_max)]
