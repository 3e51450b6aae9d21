"""Bounds on a proportion from the successes in a sample: Chernoff's, which hold without replacement too.

``P(successes >= k) <= exp(-n KL(k/n || p))`` for k/n >= p, and likewise below (Hoeffding, JASA 1963, theorem 1;
theorem 4 carries it over to draws without replacement, of however few units).
"""

from __future__ import annotations

import math


def proportion_low(successes: int, n: int, delta: float) -> float:
    """The true proportion is below this with probability <= `delta`."""
    return 1.0 - proportion_high(n - successes, n, delta)


def proportion_high(successes: int, n: int, delta: float) -> float:
    """The true proportion is above this with probability <= `delta`."""
    if successes >= n:
        return 1.0
    share, most = successes / n, -math.log(delta) / n
    low, high = share, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _divergence(share, middle) < most else (low, middle)
    return high


def _divergence(a: float, b: float) -> float:
    """Kullback and Leibler's, of a coin of `a` from one of `b`."""
    if b in (0.0, 1.0):
        return 0.0 if a == b else math.inf
    first = a * math.log(a / b) if a else 0.0
    return first + ((1 - a) * math.log((1 - a) / (1 - b)) if a < 1 else 0.0)
