"""The mean of bounded values, at every sample size at once: the workhorse.

Source: Waudby-Smith & Ramdas (JRSS-B 2024) for the bets, and their "Confidence sequences for sampling without
replacement" (NeurIPS 2020) for the finite population; stakes aimed at a half-width w are the Kelly bet against the
value w away, ``w / variance``, here from running estimates.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.capital import Capital
from suffice.estimate.interval import Interval

Floats = npt.NDArray[np.float64]


class BoundedMean:
    """Anytime-valid interval for the mean of `population` values in [low, high], fed in random order.

    Assumes that each value is drawn uniformly from those not yet drawn (with replacement, or endless independent
    draws, when `population` is None) and that all lie in [low, high]; nothing else about them.
    """

    def __init__(
        self, population: int | None, low: float, high: float, confidence: float, aim: Aim | None = None
    ) -> None:
        if not low < high or not 0 < confidence < 1:
            raise UsageError(f"a bounded mean needs low < high and 0 < confidence < 1, not {low}, {high}, {confidence}")
        self.population, self.low, self.high, self.confidence = population, low, high, confidence
        self.n, self.total, self._squares = 0, 0.0, 0.0  # sums of values mapped to [0, 1]
        self._aim = aim or Aim()
        self._capital = Capital(1 - confidence)

    def observe(self, values: npt.ArrayLike) -> None:
        """Take the next values (k,), in the order drawn."""
        x = (np.asarray(values, dtype=np.float64).ravel() - self.low) / (self.high - self.low)
        if x.size and not (x.min() >= 0 and x.max() <= 1):
            raise UsageError(f"a value lies outside the declared range [{self.low}, {self.high}]")
        if self.population is not None and self.n + x.size > self.population:
            raise UsageError(f"{self.n + x.size} values from a population of {self.population}")
        if x.size:
            self._bet(x)
        self.n += x.size
        self.total += float(x.sum())
        self._squares += float(x @ x)

    def _bet(self, x: Floats) -> None:
        seen = self.n + np.arange(x.size, dtype=np.float64)
        total = self.total + np.cumsum(x) - x
        squares = self._squares + np.cumsum(x * x) - x * x
        mean = (total + 0.5) / (seen + 1)
        # A quarter of one squared range as a prior: an unseen spike of that size is what n units cannot exclude.
        variance = (np.maximum(squares - total**2 / np.maximum(seen, 1), 0) + 0.25) / (seen + 1)
        size = math.inf if self.population is None else self.population
        value = self.low / (self.high - self.low) + mean
        width = self._aim.half_width(value, variance, seen, size, self._capital.log_ratio)
        left = 1 - seen / size
        known = total / size
        self._capital.bet(known + left * x, known, known + left, width / (left**2 * variance))

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the mean now; every pair ever returned holds together with probability `confidence`."""
        low, high = self._capital.bounds()
        if self.population is not None:  # whatever the unseen values are, they lie in the range
            low = max(low, self.total / self.population)
            high = min(high, (self.total + self.population - self.n) / self.population)
        scale = self.high - self.low
        return self.low + scale * float(max(low, 0.0)), self.low + scale * float(min(high, 1.0))

    def interval(self) -> Interval:
        """The interval for the mean now, exact once the whole population is seen."""
        complete = self.n == self.population
        mean = self.low + (self.high - self.low) * (self.total / self.n if self.n else 0.5)
        low, high = (mean, mean) if complete else self.bounds()
        return Interval(
            estimate=mean,
            low=min(low, mean),
            high=max(high, mean),
            confidence=self.confidence,
            method="complete" if complete else "betting",
            tier="exact" if complete else "finite-sample",
            assumptions=(f"every value lies in [{self.low:g}, {self.high:g}]", "units drawn uniformly at random"),
            n=self.n,
            population=self.population,
        )
