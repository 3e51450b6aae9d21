"""The mean of a table whose units cost money, helped by cheap scores: strata, predictions, or neither, chosen as it goes.

Sources: difference estimators (Cassel, Sarndal & Wretman, Biometrika 1976), prediction-powered inference (Angelopoulos
et al., Science 2023), stratification by proxy (ABae, VLDB 2021), all inside :mod:`suffice.estimate.bernstein`, where
each round's predictions may be any function of what was seen before it. So picking the predictor that did best so far
costs no delta, and a random, inverted, constant or lying score leaves the interval valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.bernstein import Bernstein, Group
from suffice.estimate.guesses import guesses
from suffice.estimate.interval import Interval
from suffice.estimate.neyman import neyman
from suffice.estimate.predictors import Predictor, Seen, interpolated_regression, interpolation, nothing, regression
from suffice.estimate.score_strata import score_strata

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Round:
    """What was decided before the draws of a round are answered."""

    units: list[Indices]  # drawn, one array a stratum
    predictions: Floats  # (predictors, N)
    chosen: int
    centre: Floats
    variance: Floats
    half_width: float


class ProxyMean:
    """Draws units of a table of N and bounds the mean of their values, at every round at once.

    Args:
        scores: (N,) a number a unit, known for all, of any quality and scale.
        low, high: range of the values.
        confidence: of the whole sequence of intervals.
        rng: where the randomness of the draws comes from; the guarantee is over it.
        ordered: neighbours in the table are alike (frames of a video): predict from them as well.
        known: (k,) units whose values are known already, however they were chosen, with `known_values` (k,).
    """

    def __init__(
        self,
        scores: npt.ArrayLike,
        low: float,
        high: float,
        confidence: float,
        rng: np.random.Generator,
        aim: Aim | None = None,
        *,
        ordered: bool = False,
        known: npt.ArrayLike = (),
        known_values: npt.ArrayLike = (),
    ) -> None:
        self.scores = np.asarray(scores, dtype=np.float64)
        if not low < high or not 0 < confidence < 1 or not np.isfinite(self.scores).all():
            raise UsageError("a proxy mean needs finite scores, low < high and 0 < confidence < 1")
        self.low, self.high, self.confidence = low, high, confidence
        self.values = np.full(self.scores.size, np.nan)
        self.values[np.asarray(known, dtype=np.int64)] = known_values
        self._cached = int(np.isfinite(self.values).sum())
        self._aim, self._bets = aim or Aim(), Bernstein(1 - confidence)
        fresh = rng.permutation(np.flatnonzero(np.isnan(self.values)))
        labels = score_strata(self.scores[fresh])
        self._orders: list[Indices] = [fresh[labels == h] for h in range(labels.max() + 1)] if fresh.size else []
        self._predictors: tuple[Predictor, ...] = (nothing, regression)
        if ordered:
            self._predictors += (interpolation, interpolated_regression)
        self._errors = [np.zeros((len(self._predictors), 0)) for _ in self._orders]  # of units not yet seen when predicted
        self._weights = np.ones(self.scores.size)  # of those known beforehand; drawn units stand for their stratum
        self._round: _Round | None = None
        self._estimate = (low + high) / 2

    @property
    def n(self) -> int:
        """Units drawn and answered; those `known` beforehand not included."""
        return sum(errors.shape[1] for errors in self._errors)

    @property
    def remaining(self) -> Indices:
        """(H,) units of each stratum not seen yet."""
        return np.array([queue.size for queue in self._queues], dtype=np.int64)

    @property
    def _queues(self) -> list[Indices]:
        return [order[errors.shape[1] :] for order, errors in zip(self._orders, self._errors, strict=True)]

    def draw(self, count: int) -> Indices:
        """The units to ask next, about `count` of them and at least one a stratum; answer with :meth:`observe`."""
        predictions = self._predict()
        guessed = [self._guess(predictor, row) for predictor, row in enumerate(predictions)]
        spreads = [float(self.remaining @ np.sqrt(variance)) for _, variance in guessed]
        chosen = int(np.argmin(spreads)) if self.n else 0
        centre, variance = guessed[chosen]
        width = self._half_width(spreads[chosen], self._total(predictions[chosen], centre))
        low, high = self._residual_range(predictions[chosen])
        reach = np.maximum(centre - low, high - centre)
        counts = neyman(self.remaining, np.sqrt(variance), reach, width, count)
        units = [queue[:k] for queue, k in zip(self._queues, counts, strict=True)]
        self._round = _Round(units, predictions, chosen, centre, variance, width)
        return np.concatenate(units) if units else np.zeros(0, dtype=np.int64)

    def observe(self, values: npt.ArrayLike) -> None:
        """The values of the units last drawn, in the same order."""
        answers = np.asarray(values, dtype=np.float64)
        plan = self._round
        if plan is None or answers.size != sum(units.size for units in plan.units):
            raise UsageError("observe() takes one value for each unit of the last draw()")
        if answers.size and not (answers.min() >= self.low and answers.max() <= self.high):
            raise UsageError(f"a value lies outside the declared range [{self.low:g}, {self.high:g}]")
        known = float(np.nansum(self.values))
        self.values[np.concatenate(plan.units)] = answers
        self._bets.round(known, self._groups(plan), plan.half_width)
        for stratum, units in enumerate(plan.units):
            errors = self.values[units] - plan.predictions[:, units]
            self._errors[stratum] = np.concatenate([self._errors[stratum], errors], axis=1)
            order, drawn = self._orders[stratum], self._errors[stratum].shape[1]
            self._weights[order[:drawn]] = order.size / max(drawn, 1)
        row = plan.predictions[plan.chosen]
        self._estimate = self._total(row, self._guess(plan.chosen, row)[0]) / self.values.size
        self._round = None

    def _groups(self, plan: _Round) -> list[Group]:
        row = plan.predictions[plan.chosen]
        ends = zip(*self._residual_range(row), strict=True)
        return [
            Group(
                queue.size, float(row[queue].sum()), self.values[units] - row[units],
                float(low), float(high), float(centre), float(variance),
            )
            for queue, units, (low, high), centre, variance in zip(
                self._queues, plan.units, ends, plan.centre, plan.variance, strict=True
            )
            if queue.size
        ]  # fmt: skip

    def _predict(self) -> Floats:
        """(predictors, N) predictions inside the range of the values."""
        index = np.flatnonzero(np.isfinite(self.values))
        seen = Seen(index, self.values[index], self._weights[index])
        rows = [predictor(seen, self.scores) if index.size else np.zeros_like(self.scores) for predictor in self._predictors]
        return np.clip(np.stack(rows), self.low, self.high)

    def _guess(self, predictor: int, row: Floats) -> tuple[Floats, Floats]:
        """(H,) mean and variance of a predictor's residuals, from errors it made on units it had not seen."""
        recent = [errors[predictor, errors.shape[1] // 2 if predictor else 0 :] for errors in self._errors]
        sums = np.array([(part.size, part.sum(), part @ part) for part in recent]).reshape(-1, 3).T
        return guesses(*sums, *self._residual_range(row))

    def _residual_range(self, row: Floats) -> tuple[Floats, Floats]:
        """(H,) least and greatest residual that a unit of each stratum can have."""
        least = np.array([row[queue].min() if queue.size else 0.0 for queue in self._queues])
        most = np.array([row[queue].max() if queue.size else 0.0 for queue in self._queues])
        return self.low - most, self.high - least

    def _total(self, row: Floats, centre: Floats) -> float:
        """Best guess of the total."""
        predicted = sum(float(row[queue].sum()) for queue in self._queues)
        return float(np.nansum(self.values)) + predicted + float(self.remaining @ centre)

    def _half_width(self, spread: float, total: float) -> float:
        size, one = self.values.size, np.ones(1)
        variance = (spread / size) ** 2
        log_ratio = self._bets.log_ratio
        return size * float(self._aim.half_width(total / size * one, variance * one, self.n * one, size, log_ratio)[0])

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the mean; every pair ever returned holds together with probability `confidence`."""
        certain, left = float(np.nansum(self.values)), int(self.remaining.sum())
        low, high = self._bets.bounds()
        low, high = max(low, certain + left * self.low), min(high, certain + left * self.high)
        return min(low, high) / self.values.size, max(low, high) / self.values.size

    def interval(self) -> Interval:
        """The interval for the mean now, exact once every unit has been seen."""
        complete = not self.remaining.any()
        mean = float(np.nansum(self.values)) / self.values.size
        low, high = (mean, mean) if complete else self.bounds()
        return Interval(
            estimate=mean if complete else min(max(self._estimate, low), high),
            low=low,
            high=high,
            confidence=self.confidence,
            method="complete" if complete else "proxy-assisted empirical Bernstein",
            tier="exact" if complete else "finite-sample",
            assumptions=(f"every value lies in [{self.low:g}, {self.high:g}]", "units drawn by this object's generator"),
            n=self.n,
            population=self.values.size,
        )
