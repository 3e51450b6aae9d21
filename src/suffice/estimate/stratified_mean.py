"""The mean over strata, at every sample size at once, with strata, allocation and stakes steered by what was seen.

Source: :mod:`suffice.estimate.martingale`. No delta is split over strata, none is spent on a pilot (its values
count), and the allocation may change after every round. Strata known beforehand to be few and extreme (cached rows,
spikes found by a zone map) are not drawn from but handed in whole: a certainty stratum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.guesses import guesses
from suffice.estimate.interval import Interval
from suffice.estimate.martingale import Martingale, two_sided
from suffice.estimate.neyman import neyman

Floats = npt.NDArray[np.float64]


class StratifiedMean:
    """Anytime-valid interval for the mean of strata of `sizes` (H,), each with values in [low[h], high[h]].

    `known` are the values of a certainty stratum: part of the population, in no other stratum, however they were
    chosen.
    """

    def __init__(
        self,
        sizes: npt.ArrayLike,
        low: npt.ArrayLike,
        high: npt.ArrayLike,
        confidence: float,
        aim: Aim | None = None,
        known: npt.ArrayLike = (),
    ) -> None:
        self.sizes = np.asarray(sizes, dtype=np.int64)
        self.low = np.broadcast_to(np.asarray(low, dtype=np.float64), self.sizes.shape)
        self.high = np.broadcast_to(np.asarray(high, dtype=np.float64), self.sizes.shape)
        if not (self.low <= self.high).all() or not 0 < confidence < 1 or (self.sizes < 0).any():
            raise UsageError("strata need sizes >= 0, low <= high and 0 < confidence < 1")
        certain = np.asarray(known, dtype=np.float64)
        self.confidence, self.known = confidence, float(certain.sum())
        self.population = int(self.sizes.sum()) + certain.size
        self.seen, self.total, self._squares = np.zeros_like(self.sizes), *np.zeros((2, self.sizes.size))
        self._aim, self._bets = aim or Aim(), Martingale((1 - confidence) / 2, 2)

    @property
    def remaining(self) -> npt.NDArray[np.int64]:
        """(H,) units not seen yet."""
        return self.sizes - self.seen

    def allocate(self, count: int) -> npt.NDArray[np.int64]:
        """(H,) draws for the next round: Neyman's, from what was seen so far."""
        centre, variance = self._guesses()
        reach: Floats = np.maximum(centre - self.low, self.high - centre)
        return neyman(self.remaining, np.sqrt(variance), reach, self._half_width(variance), count)

    def observe(self, values: Sequence[npt.ArrayLike]) -> None:
        """One round: the values drawn from each stratum, at least one from each that has units left."""
        drawn = [np.asarray(part, dtype=np.float64) for part in values]
        self._check(drawn)
        centre, variance = self._guesses()
        groups = [
            two_sided(int(left), 0.0, part, (low, high), middle, spread)
            for left, part, low, high, middle, spread in zip(
                self.remaining, drawn, self.low, self.high, centre, variance, strict=True
            )
            if left
        ]
        known = self.known + float(self.total.sum())
        self._bets.round(np.array([known, -known]), groups, np.full(2, self._half_width(variance)))
        self.seen = self.seen + np.array([part.size for part in drawn])
        self.total = self.total + np.array([part.sum() for part in drawn])
        self._squares = self._squares + np.array([part @ part for part in drawn])

    def _check(self, drawn: Sequence[Floats]) -> None:
        for part, left, low, high in zip(drawn, self.remaining, self.low, self.high, strict=True):
            if not min(left, 1) <= part.size <= left:
                raise UsageError(f"a round needs 1 to {left} values from a stratum with {left} left, not {part.size}")
            if part.size and not (part.min() >= low and part.max() <= high):
                raise UsageError(f"a value lies outside its stratum's range [{low:g}, {high:g}]")

    def _guesses(self) -> tuple[Floats, Floats]:
        return guesses(self.seen.astype(np.float64), self.total, self._squares, self.low, self.high)

    def _half_width(self, variance: Floats) -> float:
        size = max(self.population, 1)
        spread = float(self.remaining @ np.sqrt(variance)) / size
        seen = int(self.seen.sum())
        means = self.total / np.maximum(self.seen, 1)
        value = (self.known + float(self.total.sum() + self.remaining @ means)) / size
        return size * self._aim.one(value, spread**2, seen, size, self._bets.log_ratio)

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the mean; every pair ever returned holds together with probability `confidence`."""
        certain = self.known + float(self.total.sum())
        low = max(float(self._bets.low[0]), certain + float(self.remaining @ self.low))
        high = min(-float(self._bets.low[1]), certain + float(self.remaining @ self.high))
        return min(low, high) / self.population, max(low, high) / self.population

    def interval(self) -> Interval:
        """The interval for the mean now; `n` counts the draws, not the certainty stratum."""
        low, high = self.bounds()
        complete = not self.remaining.any()
        means = np.where(self.seen > 0, self.total / np.maximum(self.seen, 1), (self.low + self.high) / 2)
        estimate = (self.known + float(self.total.sum() + self.remaining @ means)) / self.population
        return Interval(
            estimate=estimate,
            low=estimate if complete else low,
            high=estimate if complete else high,
            confidence=self.confidence,
            method="complete" if complete else "stratified betting",
            tier="exact" if complete else "finite-sample",
            assumptions=("every value lies in its stratum's range", "units drawn uniformly at random in each stratum"),
            n=int(self.seen.sum()),
            population=self.population,
        )
