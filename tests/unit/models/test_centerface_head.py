from __future__ import annotations

import numpy as np
import pytest

from suffice.models.faces import prepare, read_centerface


def test_decode_by_hand() -> None:
    heat = np.zeros((1, 8, 16), np.float32)
    scale, offset = np.zeros((2, 8, 16), np.float32), np.zeros((2, 8, 16), np.float32)
    heat[0, 2, 5] = 0.8
    scale[:, 2, 5] = np.log([6, 3])  # 24 pixels high, 12 wide
    offset[:, 2, 5] = [0.25, -0.5]
    found = read_centerface({"heat": heat, "scale": scale, "offset": offset}, min_score=0.5)
    centre_x, centre_y = (5 - 0.5 + 0.5) * 4, (2 + 0.25 + 0.5) * 4
    assert found.boxes_xyxy[0].tolist() == pytest.approx([centre_x - 6, centre_y - 12, centre_x + 6, centre_y + 12])
    assert found.scores.tolist() == pytest.approx([0.8])


@pytest.mark.parametrize(
    ("height", "width", "side_max", "net_hw"),
    [(480, 640, 640, (480, 640)), (1000, 2000, 640, (320, 640)), (100, 50, 640, (128, 64)), (1, 3000, 640, (32, 640))],
)
def test_shrinks_to_multiples_of_32(height: int, width: int, side_max: int, net_hw: tuple[int, int]) -> None:
    prepared = prepare(side_max, np.zeros((height, width, 3), np.uint8))
    assert prepared.planes.shape == (3, *net_hw)
    assert prepared.picture_wh == (width, height)
