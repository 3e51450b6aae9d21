from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from suffice.models.faces import faces


@pytest.mark.parametrize(
    ("picture", "noses"),
    [("astronaut", [(225, 125)]), ("camera", [(235, 165)]), ("coffee", []), ("page", []), ("rocket", [])],
)
def test_faces_where_they_are(picture: str, noses: list[tuple[int, int]], pictures: Mapping[str, np.ndarray]) -> None:
    model = faces()
    [rows] = model.predict([model.prepare(pictures[picture])])
    assert len(rows) == len(noses)
    for (_, score, x0, y0, x1, y1), (x, y) in zip(rows, noses, strict=True):
        assert score >= 0.5
        assert x0 < x < x1 and y0 < y < y1
        assert x1 - x0 < 150 and y1 - y0 < 170


def test_two_faces_in_a_wide_picture(pictures: Mapping[str, np.ndarray]) -> None:
    model = faces(side=1024)
    pair = np.hstack([pictures["astronaut"], pictures["astronaut"]])
    [rows] = model.predict([model.prepare(pair)])
    assert sorted(round((row[2] + row[4]) / 2) // 512 for row in rows) == [0, 1]
    assert [row[0] for row in rows] == [0, 1]
