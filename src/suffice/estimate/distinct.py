"""COUNT(DISTINCT) from a sample: the only bounds that are honest.

No estimator from a small sample is good on all columns: any has a ratio error of at least about sqrt(population / n)
on some (Charikar, Chaudhuri, Motwani & Narasayya, PODS 2000). What does hold: every key seen exists, and every key
not seen has at least one of the rows bounded by :func:`suffice.estimate.unseen.unseen_rows`. For a useful count, scan
all rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from suffice.estimate.interval import Interval
from suffice.estimate.unseen import unseen_rows


def distinct_interval(keys: Sequence[Hashable], population: int, confidence: float) -> Interval:
    """Interval for the number of distinct keys; `keys` as in :func:`unseen_rows`."""
    met, complete = len(set(keys)), len(keys) == population
    return Interval(
        estimate=float(met),
        low=float(met),
        high=float(met + (0 if complete else unseen_rows(keys, population, confidence))),
        confidence=confidence,
        method="complete" if complete else "seen keys plus unseen rows",
        tier="exact" if complete else "finite-sample",
        assumptions=("rows drawn uniformly at random", "sample size fixed in advance"),
        n=len(keys),
        population=population,
    )
