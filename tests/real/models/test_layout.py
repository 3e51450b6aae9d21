from __future__ import annotations

import numpy as np

from suffice.models.layout import layout


def test_a_letter(letter: np.ndarray) -> None:
    model = layout()
    [rows] = model.predict([model.prepare(letter)])
    assert {row[1] for row in rows} >= {"title", "text", "figure"}
    [figure] = [row for row in rows if row[1] == "figure"]
    np.testing.assert_allclose(figure[3:], (200, 460, 700, 790), atol=15)
    for *_, x0, y0, x1, y1 in rows:
        assert 0 <= x0 < x1 <= 900 and 0 <= y0 < y1 <= 1200
