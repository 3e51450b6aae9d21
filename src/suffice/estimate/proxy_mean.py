"""The mean of a table whose units cost money, helped by cheap scores: strata, predictions, or neither, chosen as it
goes.

Sources: difference estimators (Cassel, Sarndal & Wretman, Biometrika 1976), prediction-powered inference
(Angelopoulos et al., Science 2023), stratification by proxy (ABae, VLDB 2021), all inside
:mod:`suffice.estimate.martingale`, where each round's strata and predictions may be any function of what was seen
before it. So picking what did best so far costs no delta, and a random, inverted, constant or lying score leaves the
interval valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.guesses import guesses
from suffice.estimate.interval import Interval
from suffice.estimate.martingale import Group, Martingale, two_sided
from suffice.estimate.neyman import neyman
from suffice.estimate.predictors import Predictor, Seen, interpolated_regression, interpolation, nothing, regression
from suffice.estimate.score_strata import score_strata

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_LEVELS_MAX = 7
_SEEN_A_LEVEL, _DRAWS_A_LEVEL = 50, 8
"""Units seen, and drawn in the round, that a finer split needs: a small question never pays for many strata."""


@dataclass(frozen=True)
class _Round:
    """What was decided before the draws of a round are answered; (H,) unless said otherwise."""

    units: list[Indices]
    predictions: Floats  # (predictors, N)
    chosen: int
    low: Floats
    high: Floats
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
        self._aim, self._rng, self._bets = aim or Aim(), rng, Martingale((1 - confidence) / 2, 2)
        line = (nothing, regression)
        self._predictors: tuple[Predictor, ...] = (*line, interpolation, interpolated_regression) if ordered else line
        self._drawn = np.zeros(0, dtype=np.int64)  # units in the order drawn
        self._errors = np.zeros((len(self._predictors), 0))  # each predictor's, made before the unit was seen
        self._level, self._labels = -1, np.zeros(self.scores.size, dtype=np.int64)
        self._queues: list[Indices] = []
        self._round: _Round | None = None
        self._estimate = (low + high) / 2

    @property
    def n(self) -> int:
        """Units drawn and answered; those `known` beforehand not included."""
        return self._drawn.size

    @property
    def complete(self) -> bool:
        """Whether every unit's value is known."""
        return bool(np.isfinite(self.values).all())

    def draw(self, count: int) -> Indices:
        """The units to ask next, about `count` of them and at least one a stratum; answer with :meth:`observe`."""
        self._split(count)
        predictions = self._predict()
        options = [self._guess(predictor, row) for predictor, row in enumerate(predictions)]
        spreads = [float(self._left() @ np.sqrt(variance)) for _, _, _, variance in options]
        chosen = int(np.argmin(spreads)) if self.n else 0
        low, high, centre, variance = options[chosen]
        width = self._half_width(spreads[chosen], self._total(predictions[chosen], centre))
        reach = np.maximum(centre - low, high - centre)
        counts = neyman(self._left(), np.sqrt(variance), reach, width, count)
        units = [queue[:draws] for queue, draws in zip(self._queues, counts, strict=True)]
        self._round = _Round(units, predictions, chosen, low, high, centre, variance, width)
        return np.concatenate(units)

    def observe(self, values: npt.ArrayLike) -> None:
        """The values of the units last drawn, in the same order."""
        answers = np.asarray(values, dtype=np.float64)
        plan = self._round
        if plan is None or answers.size != sum(units.size for units in plan.units):
            raise UsageError("observe() takes one value for each unit of the last draw()")
        if answers.size and not (answers.min() >= self.low and answers.max() <= self.high):
            raise UsageError(f"a value lies outside the declared range [{self.low:g}, {self.high:g}]")
        known, units = float(np.nansum(self.values)), np.concatenate(plan.units)
        self.values[units] = answers
        self._bets.round(np.array([known, -known]), self._groups(plan), np.full(2, plan.half_width))
        self._drawn = np.append(self._drawn, units)
        self._errors = np.concatenate([self._errors, answers - plan.predictions[:, units]], axis=1)
        self._queues = [queue[part.size :] for queue, part in zip(self._queues, plan.units, strict=True)]
        self._estimate = self._total(plan.predictions[plan.chosen], plan.centre) / self.values.size
        self._round = None

    def _split(self, count: int) -> None:
        """Split or merge the strata when it is time; what is left of each is shuffled anew."""
        level = min(_LEVELS_MAX, self.n // _SEEN_A_LEVEL, count // _DRAWS_A_LEVEL)
        if level == self._level:
            return
        self._level, self._labels = level, score_strata(self.scores, level)
        left = self._rng.permutation(np.flatnonzero(np.isnan(self.values)))
        self._queues = [left[self._labels[left] == stratum] for stratum in range(self._labels.max() + 1)]

    def _left(self) -> Indices:
        return np.array([queue.size for queue in self._queues], dtype=np.int64)

    def _predict(self) -> Floats:
        """(predictors, N) predictions inside the range of the values."""
        index = np.flatnonzero(np.isfinite(self.values))
        if not index.size:
            return np.zeros((len(self._predictors), self.values.size)).clip(self.low, self.high)
        labels = self._labels[index]
        share = np.bincount(self._labels) / np.maximum(np.bincount(labels, minlength=self._labels.max() + 1), 1)
        seen = Seen(index, self.values[index], share[labels])
        return np.stack([predictor(seen, self.scores) for predictor in self._predictors]).clip(self.low, self.high)

    def _guess(self, predictor: int, row: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """(H,) range, mean and variance of a predictor's residuals, from errors on units it had not seen."""
        least = np.array([row[queue].min() if queue.size else 0.0 for queue in self._queues])
        most = np.array([row[queue].max() if queue.size else 0.0 for queue in self._queues])
        start = self.n // 2 if predictor else 0  # a predictor that learns is judged by what it does lately
        errors, labels = self._errors[predictor, start:], self._labels[self._drawn[start:]]
        seen, total, squares = (
            np.bincount(labels, errors**power, len(self._queues)).astype(np.float64) for power in range(3)
        )
        low, high = self.low - most, self.high - least
        return low, high, *guesses(seen, total, squares, low, high)

    def _groups(self, plan: _Round) -> list[Group]:
        row, groups = plan.predictions[plan.chosen], []
        columns = zip(self._queues, plan.units, plan.low, plan.high, plan.centre, plan.variance, strict=True)
        for queue, units, low, high, centre, variance in columns:
            if queue.size:
                residuals = self.values[units] - row[units]
                groups.append(two_sided(queue.size, float(row[queue].sum()), residuals, (low, high), centre, variance))
        return groups

    def _total(self, row: Floats, centre: Floats) -> float:
        """Best guess of the total."""
        predicted = sum(float(row[queue].sum()) for queue in self._queues)
        return float(np.nansum(self.values)) + predicted + float(self._left() @ centre)

    def _half_width(self, spread: float, total: float) -> float:
        size = self.values.size
        return size * self._aim.one(total / size, (spread / size) ** 2, self.n, size, self._bets.log_ratio)

    def bounds(self) -> tuple[float, float]:
        """(low, high) of the mean; every pair ever returned holds together with probability `confidence`."""
        certain, left = float(np.nansum(self.values)), int(np.isnan(self.values).sum())
        low = max(float(self._bets.low[0]), certain + left * self.low)
        high = min(-float(self._bets.low[1]), certain + left * self.high)
        return min(low, high) / self.values.size, max(low, high) / self.values.size

    def interval(self) -> Interval:
        """The interval for the mean now, exact once every unit has been seen."""
        low, high = self.bounds()
        if self.complete:
            low = high = float(self.values.mean())
        return Interval(
            estimate=min(max(self._estimate, low), high),
            low=low,
            high=high,
            confidence=self.confidence,
            method="complete" if self.complete else "proxy-assisted betting",
            tier="exact" if self.complete else "finite-sample",
            assumptions=(
                f"every value lies in [{self.low:g}, {self.high:g}]",
                "units drawn by this object's generator",
            ),
            n=self.n,
            population=self.values.size,
        )
