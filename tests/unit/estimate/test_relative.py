"""Relative error from an interval is the least worst there is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.estimate.interval import Interval
from suffice.estimate.relative import best_point, is_within, relative_half_width


@given(st.floats(0.01, 100), st.floats(0, 100), st.sampled_from([1, -1]))
def test_relative_error_is_the_least_worst(low, width, sign) -> None:
    a, b = sorted((sign * low, sign * (low + width)))
    worst = relative_half_width(a, b)
    point = best_point(a, b)
    assert max(abs(point - a) / abs(a), abs(point - b) / abs(b)) == pytest.approx(worst, abs=1e-9)
    for other in np.linspace(a, b, 7):
        assert max(abs(other - a) / abs(a), abs(other - b) / abs(b)) >= worst - 1e-9


def test_relative_error_round_zero() -> None:
    assert relative_half_width(0, 1) == relative_half_width(-1, 1) == relative_half_width(1, math.inf) == math.inf
    assert relative_half_width(0, 0) == 0
    assert best_point(-1, 1) == 0
    assert is_within(Interval(100, 95, 105, 0.95, "m", "exact", (), 1, None), 0.05)
    assert not is_within(Interval(100, 94, 106, 0.95, "m", "exact", (), 1, None), 0.05)
