"""Totals and ratios of values without a known range: t intervals at a few looks, labelled asymptotic.

Units are drawn uniformly. Looks are at sizes fixed in advance (64, 128, 256, …), look k spends ``1 / (k (k + 1))`` of
the failure probability, so that stopping at a look is allowed for. A look only counts when no single unit carries the
interval: a unit whose share of the estimate alone exceeds half the interval says that the tail has not been seen, and
the answer waits for the next look. That check is a precaution and no proof.

Sources: Cochran 1977, chapters 2 and 6, through :mod:`suffice.estimate.student`.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from suffice.estimate.spending import look_share
from suffice.estimate.student import student_mean, student_ratio

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Ends = tuple[float, float]

FIRST_LOOK = 64


class StudentTotals:
    """A uniform sample of N units with P pieces each, `known` ones set apart as a certainty stratum."""

    def __init__(self, pieces: int, size: int, rng: np.random.Generator, known: Indices, known_values: Floats) -> None:
        self.values = np.full((pieces, size), np.nan)
        if known.size:
            self.values[:, known] = known_values
        self._certain = known_values.sum(axis=1) if known.size else np.zeros(pieces)
        self._order = rng.permutation(np.flatnonzero(~np.isfinite(self.values[0])))
        self._population, self.n, self.look = int(self._order.size), 0, 0
        self._next = FIRST_LOOK

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.values[0]))

    @property
    def complete(self) -> bool:
        return self.n == self._population

    @property
    def looked(self) -> int:
        """Units drawn at the last look; 0 before there was one."""
        return self._next // 2 if self.look else 0

    def draw(self, count: int) -> Indices:
        """The next units: up to the next look."""
        return self._order[self.n : self.n + min(count, self._next - self.n)]

    def upcoming(self, count: int) -> Indices:
        """The units of the next draws."""
        return self._order[self.n : self.n + count]

    def observe(self, values: Floats) -> None:
        units = self._order[self.n : self.n + values.shape[1]]
        self.values[:, units] = values
        self.n += units.size
        self.look_now = self.n == self._next
        if self.look_now:
            self.look, self._next = self.look + 1, 2 * self._next

    def sample(self, weights: Floats) -> Floats:
        return np.asarray(weights @ self.values[:, self._order[: self.n]])

    def certain(self, weights: Floats) -> float:
        return float(weights @ self._certain)

    @property
    def population(self) -> int:
        return self._population


class _Looked:
    """A number looked at when the totals say so; `bounds` are those of the last look that counted."""

    def __init__(self, totals: StudentTotals, delta: float) -> None:
        self.totals, self.delta = totals, delta
        self._looked, self._bounds = 0, (-math.inf, math.inf)

    def bounds(self) -> Ends:
        if self.totals.complete:
            value = self.estimate()
            return value, value
        if self.totals.look > self._looked:
            self._looked = self.totals.look
            self._bounds = self.look(1 - self.delta * look_share(self.totals.look)) or self._bounds
        return self._bounds

    def estimate(self) -> float:
        raise NotImplementedError

    def look(self, confidence: float) -> Ends | None:
        """The interval of this look; None when it does not count."""
        raise NotImplementedError


class StudentTotal(_Looked):
    """A total."""

    def __init__(self, totals: StudentTotals, weights: Floats, delta: float) -> None:
        super().__init__(totals, delta)
        self._weights = weights

    def look(self, confidence: float) -> Ends | None:
        population = self.totals.population
        values = self.totals.sample(self._weights)
        one = student_mean(values, population, confidence)
        if float(np.max(np.abs(values - one.estimate))) > (one.high - one.low) / 2 * values.size / 2:
            return None
        shift = self.totals.certain(self._weights)
        return shift + one.low * population, shift + one.high * population

    def estimate(self) -> float:
        values = self.totals.sample(self._weights)
        mean = float(values.mean()) if values.size else 0.0
        return self.totals.certain(self._weights) + mean * self.totals.population


class StudentRatio(_Looked):
    """A ratio of totals by linearisation; known units join as what they are."""

    def __init__(self, totals: StudentTotals, top: Floats, bottom: Floats, delta: float) -> None:
        super().__init__(totals, delta)
        self._top, self._bottom = top, bottom

    def look(self, confidence: float) -> Ends | None:
        y, m = self.totals.sample(self._top), self.totals.sample(self._bottom)
        one = student_ratio(y, m, self.totals.population, confidence)
        if not math.isfinite(one.low):
            return None
        if float(np.max(np.abs(y - one.estimate * m))) > (one.high - one.low) / 2 * float(m.sum()) / 2:
            return None
        ends = [self._with_certain(end, m) for end in (one.low, one.high)]
        return min(ends), max(ends)

    def _with_certain(self, ratio: float, m: Floats) -> float:
        rows = float(m.mean()) * self.totals.population
        return (ratio * rows + self.totals.certain(self._top)) / (rows + self.totals.certain(self._bottom))

    def estimate(self) -> float:
        scale = self.totals.population / max(self.totals.n, 1)
        top, bottom = (
            self.totals.certain(part) + scale * float(self.totals.sample(part).sum())
            for part in (self._top, self._bottom)
        )
        return top / bottom if bottom else math.nan
