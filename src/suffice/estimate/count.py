"""Exact intervals for a number of successes, at one sample size fixed in advance.

Sources: Clopper & Pearson (Biometrika 1934) with replacement; without, the same inversion of the hypergeometric tails
(Buonaccorsi, The American Statistician 1987). Each tail gets half of 1 - confidence. Never to be looked at repeatedly:
see :mod:`suffice.estimate.bounded_mean` for that.
"""

from __future__ import annotations

from collections.abc import Callable

from suffice.estimate.interval import Interval


def count_interval(successes: int, n: int, population: int | None, confidence: float) -> Interval:
    """Interval for the *proportion* of successes in the population, from `n` units drawn at random."""
    delta = (1 - confidence) / 2
    low, high = count_bounds(successes, n, population, delta, delta)
    complete = n == population
    return Interval(
        estimate=successes / n if n else 0.5,
        low=low,
        high=high,
        confidence=confidence,
        method="complete" if complete else "clopper-pearson" if population is None else "hypergeometric",
        tier="exact" if complete else "finite-sample",
        assumptions=("units drawn uniformly at random", "sample size fixed in advance"),
        n=n,
        population=population,
    )


def count_bounds(
    successes: int, n: int, population: int | None, delta_low: float, delta_high: float
) -> tuple[float, float]:
    """(low, high) of the proportion: the lower fails with probability <= `delta_low`, the upper `delta_high`."""
    if population is not None:
        least = fewest_successes(successes, n, population, delta_low)
        most = population - fewest_successes(n - successes, n, population, delta_high)
        return least / population, most / population
    from scipy.stats import beta

    low = beta.ppf(delta_low, successes, n - successes + 1) if successes else 0.0
    high = beta.ppf(1 - delta_high, successes + 1, n - successes) if successes < n else 1.0
    return float(low), float(high)


def fewest_successes(successes: int, n: int, population: int, delta: float) -> int:
    """The smallest number of successes in the population under which seeing >= `successes` is likelier than `delta`."""
    from scipy.stats import hypergeom

    return smallest(
        successes, population - n + successes, lambda total: hypergeom.sf(successes - 1, population, total, n) > delta
    )


def smallest(first: int, last: int, holds: Callable[[int], bool]) -> int:
    """The smallest integer in [first, last] that `holds`, for a condition that stays true once it is; `last` holds."""
    while first < last:
        middle = (first + last) // 2
        first, last = (first, middle) if holds(middle) else (middle + 1, last)
    return first
