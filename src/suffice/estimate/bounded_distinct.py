"""How many of a list of values are there at all: those seen, and at most as many more as the rest could hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.estimate.linear_totals import LinearTotals, Statements

Floats = npt.NDArray[np.float64]


class BoundedDistinct:
    """Of V values, `weights` (V, P) giving how many rows of each a unit has, of `rows_max` rows at most in all."""

    focus = 0

    def __init__(self, totals: LinearTotals, weights: Floats, rows_max: float) -> None:
        self._totals, self._weights, self._rows_max = totals, weights, rows_max
        # Only so that draws have something to go by: the number of rows, of which nothing is claimed.
        rows, most = weights.sum(axis=0), min(rows_max, 1e30)
        self.family = totals.add(
            Statements(np.stack([rows, -rows]), np.array([0.0, -most]), np.array([most, 0.0])), 0.5
        )  # fmt: skip

    def bounds(self) -> tuple[float, float]:
        totals = self._totals
        weights = np.pad(self._weights, ((0, 0), (0, totals.low.size - self._weights.shape[1])))
        seen = int((weights @ np.where(totals.seen, totals.values, 0.0).sum(axis=1) > 0).sum())
        left = int((~totals.seen).sum())
        return float(seen), float(min(len(weights), seen + (left * self._rows_max if left else 0)))

    def estimate(self) -> float:
        return self.bounds()[0]
