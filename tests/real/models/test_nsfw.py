from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from suffice.models.nsfw import nsfw

# From the original float32 graph with its publisher's pre-processing (resize to 256, crop, JPEG).
ORIGINAL = {"astronaut": 0.031794, "coffee": 0.013048, "chelsea": 0.000149, "rocket": 0.000458}


def test_equals_the_original(pictures: Mapping[str, np.ndarray]) -> None:
    model = nsfw()
    answers = model.predict([model.prepare(pictures[name]) for name in ORIGINAL])
    assert [rows[0][0] for rows in answers] == pytest.approx(list(ORIGINAL.values()), abs=1e-3)
