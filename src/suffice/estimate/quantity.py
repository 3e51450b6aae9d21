"""One number of an answer, bounded: a total, or a ratio of two totals, over the units of one sample."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.estimate.linear_totals import LinearTotals, Statements
from suffice.estimate.ratio_steps import ratio_grid, ratio_statements, shown
from suffice.estimate.relative import relative_half_width

Floats = npt.NDArray[np.float64]
Ends = tuple[float, float]


@dataclass(frozen=True)
class Form:
    """A linear function of a unit's pieces with the range of its value in one unit; (P,) weights."""

    weights: Floats
    low: float
    high: float

    def padded(self, pieces: int) -> Floats:
        """The weights, with zeros for pieces that came later."""
        return np.pad(self.weights, (0, pieces - self.weights.size))


@dataclass(frozen=True)
class Share:
    """What is needed for a ratio: both forms, the range of the ratio itself, and of a unit's value of ``y - r m``.

    `row_ends` is the range of one row where the ratio is a mean of rows, of which a unit has at most `rows_max`.
    """

    top: Form
    bottom: Form
    row_ends: Ends | None = None
    rows_max: float = math.inf

    def ends(self, steps: Floats) -> tuple[Floats, Floats]:
        """(K,) least and largest ``top - r bottom`` of one unit."""
        low = self.top.low - np.maximum(steps * self.bottom.low, steps * self.bottom.high)
        high = self.top.high - np.minimum(steps * self.bottom.low, steps * self.bottom.high)
        if self.row_ends is None:
            return low, high
        least, most = self.row_ends
        return (
            np.maximum(low, self.rows_max * np.minimum(least - steps, 0.0)),
            np.minimum(high, self.rows_max * np.maximum(most - steps, 0.0)),
        )


class BoundedTotal:
    """A total, from two statements; `delta` is the chance that either bound ever fails."""

    def __init__(self, totals: LinearTotals, form: Form, delta: float) -> None:
        self._totals, self._form = totals, form
        weights = np.stack([form.weights, -form.weights])
        ends = np.array([[form.low, -form.high], [form.high, -form.low]])
        self.family = totals.add(Statements(weights, ends[0], ends[1]), delta / 2)

    @property
    def focus(self) -> int:
        """The side that is farther from the guess."""
        low, high = self.bounds()
        guess = self.estimate()
        return int(high - guess > guess - low)

    def bounds(self) -> Ends:
        low, high = self._totals.lower(self.family)
        return (float(low), max(float(low), -float(high)))

    def estimate(self) -> float:
        low, high = self.bounds()
        return min(max(self._totals.total(self._form.padded(self._totals.low.size)), low), high)


class BoundedRatio:
    """A ratio of totals, stepped through a grid that is chosen round what is known when it is made."""

    def __init__(self, totals: LinearTotals, share: Share, guess: float, error_relative: float, delta: float) -> None:
        self._totals, self._share = totals, share
        low, high = share.row_ends or (-math.inf, math.inf)
        self._steps = ratio_grid(guess, error_relative, low, high)
        at_least, at_most = ratio_statements(
            share.top.weights, share.bottom.weights, self._steps, share.ends(self._steps)
        )
        self._families = (totals.add(at_least, delta / 2), totals.add(at_most, delta / 2))
        self._side = 0

    @property
    def family(self) -> int:
        self._side = int(self._upper_is_farther())
        return self._families[self._side]

    @property
    def focus(self) -> int:
        """The first step that is not shown yet, on the side that is farther."""
        count = shown(self._totals.lower(self._families[self._side]))
        return min(count, self._steps.size - 1)

    def _upper_is_farther(self) -> bool:
        low, high = self.bounds()
        guess = self.estimate()
        return not high - guess <= guess - low

    def bounds(self) -> Ends:
        low, high = self._share.row_ends or (-math.inf, math.inf)
        if not self._has_rows():  # nothing says that there is a ratio at all
            return -math.inf, math.inf
        if self._totals.complete:
            value = self._plain()
            return value, value
        over, under = (shown(self._totals.lower(family)) for family in self._families)
        if over:
            low = max(low, float(self._steps[over - 1]))
        if under:
            high = min(high, float(self._steps[::-1][under - 1]))
        return low, max(low, high)

    def _has_rows(self) -> bool:
        values = self._totals.values[:, self._totals.seen]
        return bool((self._share.bottom.padded(self._totals.low.size) @ values).any())

    def _plain(self) -> float:
        pieces = self._totals.low.size
        top, bottom = (
            self._totals.total(form.padded(pieces)) for form in (self._share.top, self._share.bottom)
        )  # fmt: skip
        return top / bottom if bottom else math.nan

    def estimate(self) -> float:
        low, high = self.bounds()
        value = self._plain()
        return min(max(value, low), high) if math.isfinite(value) else math.nan


Quantity = BoundedTotal | BoundedRatio


def distance(bounds: Ends, error_relative: float) -> float:
    """How far an interval is from the wanted error: 1 when it is there, more while it is wider."""
    return relative_half_width(*bounds) / error_relative
