"""A quantile of all rows of clusters, from thresholds fixed before any bet, at every round at once.

With M rows in all, those below t numbering B(t) and those up to t U(t), the share-quantile (the row of rank
ceil(share M), or a point between the two rows round share (M - 1)) is at least t when ``share M - B(t) >= 2``, and at
most t when ``U(t) - share M >= 2``: both are signs of totals over units, so no range of the values is needed, only
the most rows of a unit. "At least t" is tested for rising t, each at full delta, up to the first not shown, "at most t"
for falling t (fixed-sequence testing: Maurer, Hothorn & Lehmacher 1995), as in :mod:`suffice.estimate.ratio_steps`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.estimate.linear_totals import LinearTotals, Statements
from suffice.estimate.ratio_steps import shown

Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]

RANKS = 2.0
"""Rows to spare: more than rounding of ranks and interpolation between two rows can take."""


@dataclass(frozen=True)
class Ranks:
    """What is asked: `rows` (P,) weights of the number of rows, `below` and `upto` (K, P) of those below and up to the
    rising `thresholds` (K,); a row lies in `ends`, a unit has at most `rows_max`."""

    share: float
    rows: Floats
    below: Floats
    upto: Floats
    thresholds: Floats
    ends: Ends
    rows_max: float


class BoundedQuantile:
    """`delta` is the chance that either bound ever fails."""

    def __init__(self, totals: LinearTotals, ranks: Ranks, delta: float) -> None:
        self._totals, self._ranks = totals, ranks
        few, many = (1 - ranks.share) * ranks.rows_max, ranks.share * ranks.rows_max
        size = np.ones(ranks.thresholds.size)
        at_least = Statements(ranks.share * ranks.rows - ranks.below, -few * size, many * size, True, -RANKS)
        at_most = Statements((ranks.upto - ranks.share * ranks.rows)[::-1], -many * size, few * size, True, -RANKS)
        self._families = (totals.add(at_least, delta / 2), totals.add(at_most, delta / 2))
        self._side = 0

    @property
    def family(self) -> int:
        low, high = (shown(self._totals.lower(family)) for family in self._families)
        self._side = int(high < low)
        return self._families[self._side]

    @property
    def focus(self) -> int:
        """The first threshold that is not shown yet."""
        return min(shown(self._totals.lower(self._families[self._side])), self._ranks.thresholds.size - 1)

    def bounds(self) -> Ends:
        low, high = self._ranks.ends
        if not self._has_rows():
            return -math.inf, math.inf
        over, under = (shown(self._totals.lower(family)) for family in self._families)
        if over:
            low = max(low, float(self._ranks.thresholds[over - 1]))
        if under:
            high = min(high, float(self._ranks.thresholds[::-1][under - 1]))
        return low, max(low, high)

    def _has_rows(self) -> bool:
        totals = self._totals
        rows = np.pad(self._ranks.rows, (0, totals.low.size - self._ranks.rows.size))
        return bool((rows @ totals.values[:, totals.seen]).any())

    def estimate(self) -> float:
        low, high = self.bounds()
        return (low + high) / 2 if math.isfinite(high - low) else math.nan


def value_grid(guess: float, error_relative: float, low: float, high: float) -> Floats:
    """(K,) rising thresholds inside [low, high], a quarter of the wanted error apart near `guess`."""
    if guess == 0 or not math.isfinite(guess):
        ends = [end if math.isfinite(end) else sign for end, sign in ((low, -1.0), (high, 1.0))]
        return np.linspace(ends[0], ends[1], 24)
    near = error_relative * np.arange(-16, 16.5) / 4
    far = np.linspace(0, 1, 5)[1:] * max(1.0, 4 * error_relative)
    grid = np.unique(np.concatenate([guess * (1 + near), guess * (1 + far), guess / (1 + far)]))
    return grid[(grid >= low) & (grid <= high)]
