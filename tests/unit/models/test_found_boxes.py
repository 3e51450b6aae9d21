from __future__ import annotations

import numpy as np
import pytest

from suffice.models.found_boxes import FoundBoxes, settle


def test_scales_clips_and_suppresses() -> None:
    boxes = np.array([[-10, 10, 50, 90], [0, 12, 52, 90], [60, 60, 120, 99]], dtype=np.float32)
    found = FoundBoxes(boxes, np.array([0.6, 0.7, 0.9], np.float32), np.zeros(3, np.intp))
    kept = settle(found, net_wh=(100, 100), picture_wh=(200, 50), iou_max=0.5)
    assert kept.scores.tolist() == pytest.approx([0.9, 0.7])
    assert kept.boxes_xyxy.tolist() == [[120, 30, 200, 49.5], [0, 6, 104, 45]]
