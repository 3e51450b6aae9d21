"""A minimum or a maximum of all rows: between what was seen and the end of the range, which needs no chance at all."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.estimate.linear_totals import LinearTotals, Statements

Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]


class BoundedExtreme:
    """The largest (or least) of piece number `piece`, in `ends`, over units that have `rows` (P,) rows."""

    focus = 0

    def __init__(
        self, totals: LinearTotals, piece: int, rows: Floats, rows_max: float, ends: Ends, *, is_max: bool
    ) -> None:
        self._totals, self._piece, self._rows, self._ends, self._is_max = totals, piece, rows, ends, is_max
        # Only so that draws have something to go by: the number of rows, of which nothing is claimed.
        ends_of_rows = np.array([[0.0, -rows_max], [rows_max, 0.0]])
        self.family = totals.add(Statements(np.stack([rows, -rows]), *ends_of_rows), 0.5)

    def bounds(self) -> Ends:
        totals = self._totals
        values = totals.values[:, totals.seen]
        rows = np.pad(self._rows, (0, totals.low.size - self._rows.size))
        has_rows = rows @ values > 0
        if not has_rows.any():  # nothing says that there is a row at all
            return -math.inf, math.inf
        found = values[self._piece, has_rows]
        seen = float(found.max() if self._is_max else found.min())
        if totals.complete:
            return seen, seen
        return (seen, self._ends[1]) if self._is_max else (self._ends[0], seen)

    def estimate(self) -> float:
        low, high = self.bounds()
        return low if self._is_max else high
