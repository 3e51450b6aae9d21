"""What a bet is tuned for. Tuning changes how fast an interval shrinks, never whether it holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Aim:
    """The half-width wanted at the end: a share of the value, a number, or what `horizon` units can give.

    With none of them the bets suit all sample sizes alike (wider at each of them).
    """

    relative: float | None = None
    absolute: float | None = None
    horizon: int | None = None

    def half_width(self, value: Floats, variance: Floats, seen: Floats, population: float, log_ratio: float) -> Floats:
        """Predicted final half-width of the mean, elementwise, from what was known before each unit.

        Args:
            value: mean so far.
            variance: variance of one unit so far.
            seen: units seen before this one.
            population: units in all, infinite with replacement.
            log_ratio: log(1 / delta) of one side.
        """
        scale = 2 * log_ratio * variance
        if self.horizon is not None:
            return np.sqrt(scale * max(1 / self.horizon - 1 / population, 1e-3 / self.horizon))
        if self.relative is None and self.absolute is None:
            return np.sqrt(scale / ((seen + 1) * np.log(seen + math.e))) * (1 - seen / population)
        least = np.sqrt(scale / (10_000 * (seen + 1)))
        wanted = np.abs(value) * (self.relative or 0.0) + (self.absolute or 0.0)
        return np.maximum(wanted, least)

    def one(self, value: float, variance: float, seen: int, population: float, log_ratio: float) -> float:
        """The same for a single moment."""
        value_, variance_, seen_ = np.array([[value], [variance], [seen]])
        return float(self.half_width(value_, variance_, seen_, population, log_ratio)[0])
