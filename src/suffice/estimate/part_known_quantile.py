"""A quantile of rows of which some are known and the others were sampled, without replacement, at one look.

A value v is too low to be the quantile when, for sure, fewer rows than its rank are at most v, and too high when more
are below v. Both are statements about the share of the sampled rows at most v, for one fixed v: the true quantile
itself. The values not rejected form an interval that misses it only when a test at the truth fails. Ranks only, so no
range of the values is needed (Scheffé & Tukey, Annals of Mathematical Statistics 1945); how many rows of the units left
count at all is bounded as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.estimate.kl_bound import proportion_high, proportion_low

Floats = npt.NDArray[np.float64]

_RANKS = 2.0
"""Definitions of a quantile (lower, interpolated, …) differ by less than two ranks; the interval holds for all."""


@dataclass(frozen=True)
class PartKnownQuantile:
    """Attributes:
    estimate: of the quantile, one of the values seen; NaN when there is none.
    low, high: both ends included; infinite where nothing is known.
    """

    estimate: float
    low: float
    high: float


def part_known_quantile(
    known: Floats, sample: Floats, share: float, drawn: int, left: int, delta: float
) -> PartKnownQuantile:
    """Interval for the `share` quantile, failing with probability <= `delta`.

    Args:
        known: values of the rows known before (k,), NaN nowhere.
        sample: values of the rows that count among the `drawn` units (m,), m <= drawn.
        drawn, left: units drawn at random, of the `left` units that were not known.
    """
    seen = np.unique(np.concatenate([known, sample]))
    if not len(seen):
        return PartKnownQuantile(math.nan, -math.inf, math.inf)
    known, sample = np.sort(known), np.sort(sample)
    test = _Test(known, sample, drawn, left, delta / 4)
    first = _first(seen, lambda v: test.share_high(v) >= share - test.slack)
    last = _first(seen, lambda v: test.share_low(v) >= share + test.slack)
    low = -math.inf if test.share_high(-math.inf) >= share - test.slack else float(seen[min(first, len(seen) - 1)])
    high = float(seen[last]) if last < len(seen) else math.inf
    return PartKnownQuantile(min(max(test.estimate(seen, share), low), high), low, high)


class _Test:
    """Bounds on the share of all rows at most a value."""

    def __init__(self, known: Floats, sample: Floats, drawn: int, left: int, delta: float) -> None:
        self.known, self.sample, self.delta = known, sample, delta
        self.middle = left * len(sample) / max(drawn, 1)
        complete = drawn >= left
        least = self.middle if complete else left * proportion_low(len(sample), drawn, delta)
        most = self.middle if complete else left * proportion_high(len(sample), drawn, delta)
        self.counts = max(least, len(sample)), most
        self.slack = _RANKS / max(len(known) + self.counts[0], 1.0)
        self.complete = complete

    def share_high(self, value: float) -> float:
        return max(self._shares(value, 1))

    def share_low(self, value: float) -> float:
        return min(self._shares(value, -1))

    def estimate(self, seen: Floats, share: float) -> float:
        weight = self.middle / max(len(self.sample), 1)
        ranks = np.searchsorted(self.known, seen, "right") + weight * np.searchsorted(self.sample, seen, "right")
        return float(seen[min(int(np.searchsorted(ranks, share * ranks[-1] * (1 - 1e-12))), len(seen) - 1)])

    def _shares(self, value: float, side: int) -> list[float]:
        below = int(np.searchsorted(self.known, value, "right"))
        part = self._sampled(int(np.searchsorted(self.sample, value, "right")), side)
        return [(below + count * part) / max(len(self.known) + count, 1.0) for count in self.counts]

    def _sampled(self, below: int, side: int) -> float:
        """Bound on the share of the rows that are not known."""
        n = len(self.sample)
        if not n:
            return 1.0 if side > 0 else 0.0
        if self.complete:
            return below / n
        return (proportion_high if side > 0 else proportion_low)(below, n, self.delta)


def _first(values: Floats, holds: Callable[[float], bool]) -> int:
    """Index of the first value that `holds`, which stays true; their number when none does."""
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(float(values[middle])) else (middle + 1, high)
    return low
