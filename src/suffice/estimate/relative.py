"""Relative error from an interval, and the point that makes it smallest.

For a number known to lie in [low, high], both of one sign, the point x that minimises the worst
``|x - value| / |value|`` is the harmonic mean ``2 low high / (low + high)``; its worst case is
``|high - low| / |low + high|``, reached at both ends. (Elementary: equalise the error at the two ends.)
"""

from __future__ import annotations

import math

from suffice.estimate.interval import Interval


def best_point(low: float, high: float) -> float:
    """The point of least worst-case relative error; 0 when the interval touches or spans zero."""
    if low == high:
        return low
    if low * high <= 0 or not math.isfinite(low * high):
        return 0.0
    return 2 / (1 / low + 1 / high)


def relative_half_width(low: float, high: float) -> float:
    """Worst relative error of :func:`best_point`: infinite when a zero cannot be told from a non-zero."""
    if low == high:
        return 0.0
    if low * high <= 0 or not math.isfinite(low * high):
        return math.inf
    return abs(high - low) / abs(low + high)


def is_within(interval: Interval, error_relative_max: float) -> bool:
    """The stopping rule: the best point is guaranteed to be within the asked relative error."""
    return relative_half_width(interval.low, interval.high) <= error_relative_max
