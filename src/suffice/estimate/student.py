"""Asymptotic intervals: a limit theorem, not a guarantee. Labelled so in every result.

Sources: Cochran, "Sampling Techniques" (3rd ed. 1977), chapters 2 (finite-population correction), 5 (strata) and 6
(ratio estimator, linearised variance). On 1-in-3000 spikes these intervals miss in most runs; prefer a bounded method
wherever a range is known.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.estimate.interval import Interval

_CAVEAT = "n large enough for a normal limit: unchecked, fails on heavy tails"


def student_mean(values: npt.ArrayLike, population: int | None, confidence: float) -> Interval:
    """t interval for the mean from a simple random sample (n,), with finite-population correction."""
    x = np.asarray(values, dtype=np.float64)
    error = math.sqrt(float(x.var(ddof=1)) / x.size * _correction(x.size, population)) if x.size > 1 else math.inf
    return _student(float(x.mean()) if x.size else math.nan, error, x.size - 1, confidence, "t", x.size, population)


def student_ratio(sums: npt.ArrayLike, sizes: npt.ArrayLike, population: int | None, confidence: float) -> Interval:
    """t interval for sum y / sum m over clusters (n,) by linearisation: the spread of y - R m about zero."""
    y, m = np.asarray(sums, dtype=np.float64), np.asarray(sizes, dtype=np.float64)
    if not m.sum() > 0:
        return _student(math.nan, math.inf, y.size - 1, confidence, "linearised ratio t", y.size, population)
    ratio = float(y.sum() / m.sum())
    spread = float(np.sum((y - ratio * m) ** 2)) / max(y.size - 1, 1)
    error = math.sqrt(spread / y.size * _correction(y.size, population)) / float(m.mean()) if y.size > 1 else math.inf
    return _student(ratio, error, y.size - 1, confidence, "linearised ratio t", y.size, population)


def _correction(n: int, population: int | None) -> float:
    return 1.0 if population is None else 1 - n / population


def _student(
    estimate: float, error: float, freedom: int, confidence: float, method: str, n: int, population: int | None
) -> Interval:
    from scipy.stats import t

    half = float(t.ppf((1 + confidence) / 2, max(freedom, 1))) * error if error else 0.0
    low, high = (estimate - half, estimate + half) if math.isfinite(half) else (-math.inf, math.inf)
    complete = n == population
    return Interval(
        estimate=estimate,
        low=low,
        high=high,
        confidence=confidence,
        method="complete" if complete else method,
        tier="exact" if complete else "asymptotic",
        assumptions=() if complete else ("units drawn uniformly at random", _CAVEAT, "looked at once"),
        n=n,
        population=population,
    )
