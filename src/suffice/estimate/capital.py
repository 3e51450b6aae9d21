"""Bets against every candidate value at once: the engine under the finite-sample intervals.

Source: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", JRSS-B 86 (2024), section 4
(hedged capital) and appendix on sampling without replacement; Ville's inequality.

Let z_1, z_2, ... be estimates of an unknown number T with ``E[z_t | past] = T`` and ``low_t <= z_t <= high_t``, the
ends known before z_t is. For stakes s_t >= 0 known before z_t is, the capital

    K_t(v) = prod_i (1 + min(s_i, cap / (v - low_i)+) (z_i - v)),    cap < 1

is a non-negative martingale when v = T, so ``P(exists t: K_t(T) >= 1/delta) <= delta``. It falls as v grows, so the
rejected v are those below a bound: the lower confidence sequence. The upper one is the lower one of -z.
Both sides hold at all times at once: looking early, often, or stopping when the interval pleases costs nothing.

A random sample without replacement of x from N units fits with ``z_t = (sum of seen + (N - t + 1) x_t)``; so do strata,
residuals of a proxy, and unequal-probability draws: anything with a conditionally unbiased bounded estimate of T.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

CAP = 0.9
"""The most of the capital that is ever at stake in one bet; below 1, so that one surprise cannot end the game."""

_BLOCK = 16
"""Bets multiplied before a logarithm is taken: (1 - CAP)^16 is still a normal float."""


class Capital:
    """A two-sided confidence sequence; `delta` is split evenly between the sides. One look costs O(bets)."""

    def __init__(self, delta: float) -> None:
        self.log_ratio = math.log(2 / delta)
        self._bets: list[npt.NDArray[np.float64]] = []
        self._low, self._high = -math.inf, math.inf

    def bet(self, z: Floats, low: Floats, high: Floats, stake: Floats) -> None:
        """Append bets, all arrays (k,). `stake`, `low` and `high` must not depend on this or later z."""
        self._bets.append(np.stack([z, low, high, stake]))

    def bounds(self) -> tuple[float, float]:
        """The set of values never rejected so far, as (low, high); it only shrinks."""
        if not self._bets:
            return self._low, self._high
        z, low, high, stake = np.concatenate(self._bets, axis=1)
        self._bets = [np.stack([z, low, high, stake])]
        floor, ceiling = max(self._low, float(low.max())), min(self._high, float(high.min()))
        self._low = lower_bound(z, low, stake, self.log_ratio, floor, ceiling)
        self._high = -lower_bound(-z, -high, stake, self.log_ratio, -ceiling, -self._low)
        return self._low, self._high


def lower_bound(z: Floats, low: Floats, stake: Floats, log_ratio: float, start: float, end: float) -> float:
    """The largest value in [start, end] that all smaller ones are rejected with; `start` when none is rejected."""

    def excess(value: float) -> float:
        room = np.maximum(value - low, 1e-300)
        return highest(1 + np.minimum(stake, CAP / room) * (z - value)) - log_ratio

    return last_rejected(excess, start, end, float(z.mean()))


def highest(factors: Floats) -> float:
    """The highest logarithm of the running product (looked at every few factors, which only loses sharpness)."""
    whole = len(factors) // _BLOCK * _BLOCK
    products = factors[:whole].reshape(-1, _BLOCK).prod(axis=1)
    return float(np.cumsum(np.log(np.append(products, factors[whole:].prod()))).max())


def last_rejected(excess: Callable[[float], float], start: float, end: float, centre: float) -> float:
    """Where the falling function `excess` changes sign in [start, end], to a thousandth of the way to `centre`.

    Regula falsi with every third step a bisection. The returned end of the bracket is the one with excess >= 0, the
    rejected one, so rounding can only widen an interval.
    """
    if start >= end or (left := excess(start)) < 0:
        return start
    if (right := excess(end)) >= 0:
        return end
    for step in range(60):
        share = 0.5 if step % 3 == 2 else left / (left - right)
        middle = start + (end - start) * min(max(share, 0.01), 0.99)
        if (gap := excess(middle)) >= 0:
            start, left = middle, gap
        else:
            end, right = middle, gap
        if end - start <= 1e-3 * abs(centre - start):
            break
    return start
