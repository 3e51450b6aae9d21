"""What a uniform sample takes: ratios of totals over clusters by betting, without proxies or strata.

The unit drawn is the cluster (frame, page, block); its rows come all or none, and rows of one cluster are alike, so
they are no sample of rows. With y the sum and m the number of a cluster's rows, the ratio R = sum y / sum m is the
number r for which the residuals y - r m sum to zero over the population. So each r is tested by a bet on its own
residuals:

    K_t(r) = prod_i (1 + s_i Z_i(r)),    Z_i(r) = (residuals seen) + (clusters left) (y_i - r m_i),
    E[Z_i(R) | past] = 0,

and r is rejected when K reaches 2 / delta. Stakes that do not depend on r make every factor a falling straight line in
r, so the set that is not rejected is an interval, found exactly by bisection: no grid, no linearisation, no normality.

Sources: Waudby-Smith & Ramdas (JRSS-B 2024) for the bets; Fieller (1954) for testing y - r m.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.capital import CAP, highest, last_rejected
from suffice.estimate.interval import Interval

Floats = npt.NDArray[np.float64]


class UniformRatio:
    """Anytime-valid interval for (sum of all rows) / (number of all rows) of `population` clusters in random order.

    Args:
        population: clusters in all, None for endless independent draws.
        low, high: range of one row.
        size_max: most rows a cluster can have.
    """

    def __init__(
        self,
        population: int | None,
        low: float,
        high: float,
        size_max: float,
        confidence: float,
        aim: Aim | None = None,
    ) -> None:
        if not low < high or not 0 < confidence < 1 or not size_max > 0:
            raise UsageError("a ratio needs low < high, size_max > 0 and 0 < confidence < 1")
        self.population, self.low, self.high, self.size_max = population, low, high, size_max
        self.confidence, self._aim, self._log_ratio = confidence, aim or Aim(), math.log(2 / (1 - confidence))
        self.n, self._moments = 0, np.zeros(5)  # running sums of y, m, y*y, y*m, m*m; y is measured from low * m
        self._lines: list[Floats] = []  # (4, k): slopes and offsets of Z, stakes for each side
        self._ends = (0.0, 1.0)  # of the ratio mapped to [0, 1]

    def observe(self, sums: npt.ArrayLike, sizes: npt.ArrayLike) -> None:
        """Take the next clusters in the order drawn: the sums (k,) and the numbers (k,) of their rows."""
        m = np.asarray(sizes, dtype=np.float64)
        y = (np.asarray(sums, dtype=np.float64) - self.low * m) / (self.high - self.low)
        slack = 1e-9 * self.size_max
        if y.size and not (
            m.min() >= 0 and m.max() <= self.size_max and (y >= -slack).all() and (y <= m + slack).all()
        ):
            raise UsageError(
                f"a cluster has over {self.size_max:g} rows, or rows outside [{self.low:g}, {self.high:g}]"
            )
        if self.population is not None and self.n + y.size > self.population:
            raise UsageError(f"{self.n + y.size} clusters from a population of {self.population}")
        if y.size:
            self._bet(y, m)

    def _bet(self, y: Floats, m: Floats) -> None:
        terms = np.stack([y, m, y * y, y * m, m * m])
        sum_y, sum_m, yy, ym, mm = self._moments[:, None] + np.cumsum(terms, axis=1) - terms
        seen = self.n + np.arange(y.size, dtype=np.float64)
        size = math.inf if self.population is None else float(self.population)
        left = 1 - seen / size
        rate = (sum_y + 0.5) / (sum_m + 1)
        variance = (np.maximum(yy - 2 * rate * ym + rate**2 * mm, 0) + 0.25 * self.size_max**2) / (seen + 1)
        value = rate + self.low / (self.high - self.low)
        rows = (sum_m + 0.5 * self.size_max) / (seen + 1)
        width = rows * self._aim.half_width(value, variance / rows**2, seen, size, self._log_ratio)
        # What Z(r) can fall or rise to for any r not yet rejected: full clusters with all rows at one end of the range.
        least, most = self._ends
        fall = most * left * self.size_max + np.maximum(most * sum_m - sum_y, 0) / size
        rise = (1 - least) * left * self.size_max + np.maximum(sum_y - least * sum_m, 0) / size
        stakes = [np.minimum(width / (left**2 * variance), CAP / np.maximum(reach, 1e-300)) for reach in (fall, rise)]
        self._lines.append(np.stack([sum_m / size + left * m, sum_y / size + left * y, *stakes]))
        self.n += y.size
        self._moments = self._moments + terms.sum(axis=1)

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the ratio; every pair ever returned holds together with probability `confidence`."""
        if self._lines:
            lines = np.concatenate(self._lines, axis=1)
            self._lines = [lines]
            slope, offset, over, under = lines
            rate = float(self._moments[0] / max(self._moments[1], 1e-300))
            least, most = self._ends
            low = last_rejected(lambda r: self._excess(1 + over * (offset - r * slope)), least, most, rate)
            high = -last_rejected(lambda r: self._excess(1 - under * (offset + r * slope)), -most, -low, -rate)
            self._ends = (low, high)
        low, high = self._certain()
        scale = self.high - self.low
        return self.low + scale * max(low, self._ends[0]), self.low + scale * min(high, self._ends[1])

    def _excess(self, factors: Floats) -> float:
        return highest(factors) - self._log_ratio

    def _certain(self) -> tuple[float, float]:
        """What holds whatever the clusters not yet seen are: all full, at either end of the range."""
        rest = math.inf if self.population is None else (self.population - self.n) * self.size_max
        rows = float(self._moments[1]) + rest
        if not rows or math.isinf(rows):
            return 0.0, 1.0
        return float(self._moments[0]) / rows, float(self._moments[0] + rest) / rows

    def interval(self) -> Interval:
        """The interval for the ratio now; the estimate is NaN while no row has been seen."""
        complete = self.n == self.population
        rows = float(self._moments[1])
        rate = self.low + (self.high - self.low) * float(self._moments[0]) / rows if rows else math.nan
        low, high = (rate, rate) if complete and rows else self.bounds()
        return Interval(
            estimate=rate,
            low=low,
            high=high,
            confidence=self.confidence,
            method="complete" if complete else "betting on y - r m",
            tier="exact" if complete else "finite-sample",
            assumptions=(
                f"every row lies in [{self.low:g}, {self.high:g}]",
                f"no cluster has more than {self.size_max:g} rows",
                "clusters drawn uniformly at random",
            ),
            n=self.n,
            population=self.population,
        )
