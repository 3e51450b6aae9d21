"""Arithmetic on intervals: the range of a function of numbers that are known to lie in intervals.

Source: Moore, "Interval Analysis" (1966). If all the operands' intervals hold at once, so does the result's. The
failure probabilities add (Boole); intervals made *simultaneous* beforehand (:mod:`suffice.estimate.simultaneous`)
share one confidence, and then ``joint=True`` keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from suffice.estimate.interval import Interval, Tier

_TIERS: tuple[Tier, ...] = ("exact", "finite-sample", "asymptotic")
Ends = tuple[float, float]


def add(a: Interval, b: Interval, *, joint: bool = False) -> Interval:
    """a + b."""
    return combine(a, b, a.estimate + b.estimate, (a.low + b.low, a.high + b.high), "sum", joint)


def subtract(a: Interval, b: Interval, *, joint: bool = False) -> Interval:
    """a - b."""
    return combine(a, b, a.estimate - b.estimate, (a.low - b.high, a.high - b.low), "difference", joint)


def multiply(a: Interval, b: Interval, *, joint: bool = False) -> Interval:
    """a * b, any signs."""
    return combine(a, b, a.estimate * b.estimate, _corners(a, b, _product), "product", joint)


def divide(a: Interval, b: Interval, *, joint: bool = False) -> Interval:
    """a / b; unbounded when `b` may be zero (one-sided only when its zero is an end and `a` has one sign)."""
    estimate = a.estimate / b.estimate if b.estimate else math.nan
    return combine(a, b, estimate, _quotient_ends(a, b), "quotient", joint)


def _product(x: float, y: float) -> float:
    return 0.0 if x == 0 or y == 0 else x * y  # the end of an unbounded interval times an exact zero is zero


def _corners(a: Interval, b: Interval, operation: Callable[[float, float], float]) -> Ends:
    corners = [operation(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return min(corners), max(corners)


def _quotient_ends(a: Interval, b: Interval) -> Ends:
    if b.low > 0 or b.high < 0:
        return _corners(a, b, _ratio)
    if b.low == b.high or b.low < 0 < b.high or a.low < 0 < a.high:
        return -math.inf, math.inf
    ends = [_ratio(x, y) for x in (a.low, a.high) for y in (b.low, b.high) if y != 0]
    return (min(ends), math.inf) if (a.low >= 0) == (b.low == 0) else (-math.inf, max(ends))


def _ratio(x: float, y: float) -> float:
    return 0.0 if x == 0 or math.isinf(y) else x / y


def combine(a: Interval, b: Interval, estimate: float, ends: Ends, method: str, joint: bool) -> Interval:
    """The result's interval, as weak as the weaker operand."""
    confidence = min(a.confidence, b.confidence) if joint else max(0.0, a.confidence + b.confidence - 1)
    return Interval(
        estimate=estimate,
        low=ends[0],
        high=ends[1],
        confidence=confidence,
        method=f"{method} of {a.method}, {b.method}",
        tier=max(a.tier, b.tier, key=_TIERS.index),
        assumptions=tuple(dict.fromkeys(a.assumptions + b.assumptions)),
        n=max(a.n, b.n),
        population=a.population if a.population == b.population else None,
    )
