"""Interval arithmetic never leaves out a value its operands allow; relative error is the worst there is."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suffice.estimate.arithmetic import add, divide, multiply, subtract
from suffice.estimate.interval import Interval
from suffice.estimate.relative import best_point, is_within, relative_half_width

ENDS = st.floats(-100, 100).map(lambda x: round(x, 3))
SHARES = st.floats(0, 1)


def interval(low: float, high: float, confidence: float = 0.95, tier="finite-sample") -> Interval:
    return Interval((low + high) / 2, low, high, confidence, "m", tier, ("a",), 10, 100)


@given(ENDS, ENDS, ENDS, ENDS, SHARES, SHARES)
def test_results_hold_every_combination(a, b, c, d, s, t) -> None:
    p, q = interval(min(a, b), max(a, b)), interval(min(c, d), max(c, d))
    x, y = p.low + s * p.width, q.low + t * q.width
    pairs = [(add(p, q), x + y), (subtract(p, q), x - y), (multiply(p, q), x * y)]
    if y != 0:
        pairs.append((divide(p, q), x / y))
    for result, value in pairs:
        slack = 1e-9 * max(1, abs(value))
        assert result.low - slack <= value <= result.high + slack


def test_quotients_near_zero() -> None:
    assert divide(interval(1, 2), interval(-1, 1)).low == -math.inf
    assert (divide(interval(1, 2), interval(0, 4)).low, divide(interval(1, 2), interval(0, 4)).high) == (0.25, math.inf)
    assert divide(interval(1, 2), interval(-4, 0)).high == -0.25
    assert divide(interval(1, 2), interval(0, 0)).width == math.inf


def test_confidence_adds_up_and_the_weaker_tier_wins() -> None:
    both = add(interval(0, 1), interval(0, 1, 0.9, "asymptotic"))
    assert both.confidence == pytest.approx(0.85)
    assert both.tier == "asymptotic"
    assert add(interval(0, 1), interval(0, 1), joint=True).confidence == 0.95
    assert interval(1, 3).scaled(-2, 1) == Interval(-3, -5, -1, 0.95, "m", "finite-sample", ("a",), 10, 100)


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
    assert is_within(interval(95, 105), 0.05)
    assert not is_within(interval(94, 106), 0.05)
