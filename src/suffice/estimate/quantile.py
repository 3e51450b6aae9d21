"""Quantiles and extremes of any values at all: only ranks are used, so no range is needed.

Sources: order-statistic intervals (Wilks, Annals of Mathematical Statistics 1948) with hypergeometric ranks for
sampling without replacement; Dvoretzky-Kiefer-Wolfowitz with Massart's constant (Annals of Probability 1990), for
independent draws only. One look, at a size fixed in advance; share looks by :mod:`suffice.estimate.spending`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.estimate.count import count_bounds, smallest
from suffice.estimate.interval import Interval


def quantile_interval(values: npt.ArrayLike, share: float, population: int | None, confidence: float) -> Interval:
    """Interval for the `share` quantile: the value whose rank from below is ceil(share * population), or its limit.

    Args:
        values: the sample (n,), in any order.
        share: in (0, 1); 0.5 is the (lower) median.
    """
    x = np.sort(np.asarray(values, dtype=np.float64))
    low_rank, high_rank = _ranks(x.size, share, population, (1 - confidence) / 2)
    complete = x.size == population
    return Interval(
        estimate=float(x[max(0, math.ceil(share * x.size) - 1)]) if x.size else math.nan,
        low=float(x[low_rank - 1]) if low_rank >= 1 else -math.inf,
        high=float(x[high_rank - 1]) if high_rank <= x.size else math.inf,
        confidence=confidence,
        method="complete" if complete else "order statistics",
        tier="exact" if complete else "finite-sample",
        assumptions=("units drawn uniformly at random", "sample size fixed in advance"),
        n=x.size,
        population=population,
    )


def _ranks(n: int, share: float, population: int | None, delta: float) -> tuple[int, int]:
    """Ranks (1-based) in the sample that enclose the quantile; 0 and n + 1 stand for the infinities."""
    from scipy.stats import binom, hypergeom

    if population is None:
        below = strictly_below = binom(n, share)
    else:
        rank = max(1, math.ceil(share * population - 1e-9))
        below, strictly_below = hypergeom(population, rank, n), hypergeom(population, rank - 1, n)
    # The r-th smallest of the sample is <= the quantile iff at least r draws are among the `rank` smallest units.
    low = smallest(0, n + 1, lambda r: r > n or bool(below.sf(r - 1) < 1 - delta)) - 1
    # The s-th smallest is >= it iff fewer than s draws are among the `rank - 1` smallest.
    high = smallest(1, n + 1, lambda s: bool(strictly_below.cdf(s - 1) >= 1 - delta))
    return low, high


def distribution_band(n: int, confidence: float) -> float:
    """The e such that the sample's distribution function is within e of the true one everywhere (independent draws)."""
    return math.sqrt(math.log(2 / (1 - confidence)) / (2 * n))


def units_beyond(n: int, population: int, confidence: float) -> int:
    """How many units of the population may exceed the sample's maximum (or fall below its minimum).

    There is no bound on the maximum itself from a sample; this bounds its rank. Both ends at once need
    ``each_confidence(confidence, 2)``.
    """
    return round(count_bounds(0, n, population, 0.5, 1 - confidence)[1] * population)
