from __future__ import annotations

import numpy as np
import pytest

from suffice.models.gfl_head import CANDIDATES_MAX, decode_boxes, read_gfl_head


def bins_for(*distances: float, bins: int) -> np.ndarray:
    """Logits whose softmax puts all mass on whole distances, or halves it between two neighbours."""
    logits = np.full((4, bins), -1e3, dtype=np.float32)
    for side, distance in enumerate(distances):
        logits[side, [int(np.floor(distance)), int(np.ceil(distance))]] = 0
    return logits.reshape(-1)


def test_decode_by_hand() -> None:
    # Cell 8 of 7 columns is column 1, row 1: with stride 16 its centre is (24, 24).
    [box] = decode_boxes(np.array([8]), bins_for(1, 0.5, 2, 3, bins=11)[None], columns=7, stride=16)
    assert box.tolist() == pytest.approx([24 - 16, 24 - 8, 24 + 32, 24 + 48])


def test_uniform_bins_mean_half_of_the_longest_distance() -> None:
    [box] = decode_boxes(np.array([0]), np.zeros((1, 32), np.float32), columns=4, stride=8)
    assert box.tolist() == pytest.approx([4 - 28, 4 - 28, 4 + 28, 4 + 28])


def test_decode_of_no_cells() -> None:
    assert decode_boxes(np.array([], np.intp), np.zeros((0, 44), np.float32), 52, 8).shape == (0, 4)


def outputs(classes: int, bins: int) -> dict[str, np.ndarray]:
    """An empty picture of 100 x 32 pixels at strides 8 (13 x 4 cells) and 64 (2 x 1 cells)."""
    made = {}
    for stride, cells in ((8, 52), (64, 2)):
        made[f"scores_stride{stride}"] = np.zeros((cells, classes), np.float32)
        made[f"boxes_stride{stride}"] = np.tile(bins_for(0, 0, 0, 0, bins=bins), (cells, 1))
    return made


def test_reads_all_strides_best_first() -> None:
    head = outputs(classes=3, bins=8)
    head["scores_stride8"][14, 2] = 0.4
    head["scores_stride8"][14, 1] = 0.399
    head["scores_stride64"][1, 0] = 0.9
    found = read_gfl_head(head, 100, (8, 64), min_score=0.4)
    assert found.class_ids.tolist() == [0, 2]
    assert found.scores.tolist() == pytest.approx([0.9, 0.4])
    # 100 pixels at stride 8 are 13 columns, not 12: cell 14 is column 1 of row 1.
    assert found.boxes_xyxy.tolist() == [[96, 32, 96, 32], [12, 12, 12, 12]]


def test_a_threshold_of_zero_stays_bounded() -> None:
    head = outputs(classes=80, bins=8)
    head["scores_stride8"][:] = np.linspace(0, 1, 52 * 80, dtype=np.float32).reshape(52, 80)
    found = read_gfl_head(head, 100, (8, 64), min_score=0.0)
    assert len(found.scores) == CANDIDATES_MAX
    assert found.scores.min() > 1 - (CANDIDATES_MAX + 1) / (52 * 80 - 1)
