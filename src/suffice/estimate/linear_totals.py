"""Totals of linear functions of what each unit holds, all bounded from one sample, with any number of statements.

A unit (frame, page, row) holds a vector of pieces: rows of an aggregate, their sum, the same for each group. A
statement is a row of weights: its total is the sum over all units of weights times pieces. Counts and sums are totals
themselves; the ratio R = sum y / sum m is at least r exactly if the total of y - r m is not below zero
(:mod:`suffice.estimate.ratio_steps`).

Sources: :mod:`suffice.estimate.martingale` for the bound; difference estimators (Cassel, Sarndal & Wretman, Biometrika
1976) and stratification by score (Neyman 1934; ABae, VLDB 2021) inside it. Each round's strata, predictions, draws and
stakes are functions of what was seen before it, so a random, inverted or lying score leaves every bound valid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.aim import Aim
from suffice.estimate.guesses import guesses
from suffice.estimate.martingale import Group, Martingale
from suffice.estimate.neyman import neyman
from suffice.estimate.predictors import Predictor, Seen, interpolated_regression, interpolation, nothing, regression
from suffice.estimate.score_strata import score_strata
from suffice.estimate.sides import Outlook, shared, split
from suffice.estimate.variance_left import effective_count

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

_NONE: Indices = np.zeros(0, dtype=np.int64)
_LEVELS_MAX = 7
_SEEN_A_LEVEL, _DRAWS_A_LEVEL = 50, 8
_WORTH = 0.9
"""Strata are drawn from when they leave less than this part of the spread."""

_BETTER = 0.9
"""A predictor is used when it leaves less than this part of the spread that none leaves, over the same units."""

_NEVER_BELOW = 0.25
"""Of the variance of all errors, where late ones show less: they may only not have met what is rare."""


_LEVELLED = (0.1, 0.9)
"""Shares of the values seen between which levelled predictions lie."""

_PILOT_MIN, _PILOT_MAX, _PILOT_PART = 8, 64, 400
"""Units drawn before the first bet: one in so many, within these ends; never more than a quarter of a budget."""

_EXACT_ENDS_MAX = 4_000_000
"""Statements x units up to which each statement's largest prediction is looked up; above, it is bounded by pieces."""


@dataclass(frozen=True)
class Statements:
    """C statements. `low` and `high` (C,) are the range of one unit's weighted sum.

    `is_sign` says what statements are for: True, each to show that its total is not below zero (stakes aim at its
    distance from there); False, two of them, of a total and of its negative, to know it closely (stakes aim at the
    error that was asked). `constant` is added to each total.
    """

    weights: Floats  # (C, P)
    low: Floats
    high: Floats
    is_sign: bool = False
    constant: float = 0.0

    @property
    def count(self) -> int:
        return int(self.weights.shape[0])

    def only(self, number: int) -> Statements:
        at = slice(number, number + 1)
        return replace(self, weights=self.weights[at], low=self.low[at], high=self.high[at])


@dataclass(frozen=True)
class _Round:
    """What was decided before the draws of a round are answered."""

    units: list[Indices]
    predictions: Floats  # (predictors, levelled ones included, P, N)
    chosen: int


@dataclass(frozen=True)
class _Guessed:
    """What is expected of C statements in H strata, by one predictor or, along the first axis, by each.

    Attributes:
        low, centre, variance: (…, C, H) least value, mean and variance of a residual.
        predicted: (…, P) sum of the predictions of all units that are left.
        left: (H,) how many those are.
    """

    low: Floats
    centre: Floats
    variance: Floats
    predicted: Floats
    left: Floats


class LinearTotals:
    """Draws units of a table of N and bounds C totals from below, at every round at once.

    Args:
        low, high: (P,) range of each piece.
        scores: (N,) a number a unit, known for all, of any quality and scale.
        rng: where the randomness of the draws comes from; every guarantee is over it.
        aim: what is wanted of the statements that are no sign tests.
        ordered: neighbours in the table are alike (frames of a video): predict from them as well.
        known: (k,) units whose pieces `known_values` (P, k) are known already, however they were chosen.
    """

    def __init__(
        self,
        low: Floats,
        high: Floats,
        scores: Floats,
        rng: np.random.Generator,
        aim: Aim,
        *,
        ordered: bool = False,
        known: Indices | None = None,
        known_values: Floats | None = None,
    ) -> None:
        if not np.isfinite(scores).all():
            raise UsageError("a proxy gave scores that are not finite numbers")
        self.low, self.high, self.scores, self._rng, self._aim = low, high, scores, rng, aim
        self.values = np.full((low.size, scores.size), np.nan)
        self._sums = np.zeros(low.size)  # of the pieces known before the step that is being bet on
        self._is_seen = np.zeros(scores.size, dtype=bool)
        self.hazard = np.zeros(scores.size)
        """(N,) for a unit not drawn yet: the sum of 1 / (units left in its stratum) over draws that could take it."""
        if known is not None:
            self.values[:, known] = known_values
            self._sums, self._is_seen[known] = np.nansum(self.values, axis=1), True
        line = (nothing, regression)
        self._predictors: tuple[Predictor, ...] = (*line, interpolation, interpolated_regression) if ordered else line
        self._drawn = np.zeros(0, dtype=np.int64)
        self._errors = np.zeros((2 * len(self._predictors) - 1, low.size, 0))
        self._level, self._labels = -1, np.zeros(scores.size, dtype=np.int64)
        self._queues: list[Indices] = []
        self._round: _Round | None = None
        self._round_before = 0
        self._pilot = min(_PILOT_MIN + scores.size // _PILOT_PART, _PILOT_MAX, (aim.horizon or 1 << 60) // 4)
        self._predicted: Floats | None = None  # what :meth:`_predict` says while nothing more is seen
        self._statements: list[Statements] = []
        self._bets: list[Martingale] = []

    def add(self, statements: Statements, delta: float) -> int:
        """Statements that bet from the next round on; their number.

        Signs fail with probability <= `delta` each, a total and its negative with <= 2 `delta` together.
        """
        self._statements.append(statements)
        self._bets.append(Martingale(delta, statements.count, is_sign=statements.is_sign))
        return len(self._statements) - 1

    def add_pieces(self, low: Floats, high: Floats, units: Indices, values: Floats) -> None:
        """More pieces, zero in every unit seen so far except `units` (k,), where they are `values` (more, k)."""
        more = low.size
        self.low, self.high = np.append(self.low, low), np.append(self.high, high)
        found = np.where(self._is_seen, 0.0, np.nan)[None].repeat(more, 0)
        found[:, units] = values
        self.values = np.concatenate([self.values, found])
        self._sums, self._predicted = np.append(self._sums, values.sum(axis=1)), None
        self._errors = np.concatenate([self._errors, np.zeros((self._errors.shape[0], more, self.n))], axis=1)
        self._statements = [replace(s, weights=np.pad(s.weights, ((0, 0), (0, more)))) for s in self._statements]

    @property
    def n(self) -> int:
        """Units drawn; those `known` beforehand not included."""
        return self._drawn.size

    @property
    def seen(self) -> npt.NDArray[np.bool_]:
        """(N,) whether a unit's pieces are known."""
        return self._is_seen

    @property
    def complete(self) -> bool:
        return bool(self.seen.all())

    def total(self, weights: Floats) -> float:
        """Best guess of one total."""
        left = ~self.seen
        if not left.any():
            return float((weights @ self.values).sum())
        predictions = self._predict()
        j = self._round_before
        rows = weights @ predictions[j]
        errors = weights @ self._errors[j]
        labels = self._labels[self._drawn]
        known = float(weights @ self._sums)
        centre = sum(
            float((left & (self._labels == h)).sum()) * float(errors[labels == h].mean())
            for h in range(int(self._labels.max()) + 1)
            if (labels == h).any()
        )
        return known + float(rows[left].sum()) + centre

    # -- rounds ---------------------------------------------------------------------------------------------

    def draw(self, count: int, family: int, statement: int) -> Indices:
        """The units to ask next, about `count` of them, as `statement` of a family needs them most."""
        predictions = self._predict()
        chosen = self._decide(count, predictions, family, statement)
        whole, rows = self._statements[family], predictions[chosen]
        guessed = self._guess(chosen, rows, whole)
        width = self._half_width(whole, self._bets[family].log_ratio, self._outlook(whole, guessed))
        deviation, reach = np.sqrt(guessed.variance[statement]), (guessed.centre - guessed.low)[statement]
        counts = neyman(self._left(), deviation, reach, float(width[statement]), count)
        units = [queue[:draws] for queue, draws in zip(self._queues, counts, strict=True)]
        self._round = _Round(units, predictions, chosen)
        return np.concatenate(units)

    def upcoming(self, count: int) -> Indices:
        """About `count` units that the next draws take, should they go on taking from all strata alike."""
        share = count / max(int(self._left().sum()), 1)
        return np.concatenate([_NONE, *(queue[: math.ceil(share * queue.size)] for queue in self._queues)])

    def observe(self, values: Floats) -> None:
        """The pieces (P, k) of the units last drawn, in the same order."""
        plan = self._round
        if plan is None:
            raise UsageError("observe() answers a draw()")
        units, pieces = np.concatenate(plan.units), plan.predictions.shape[1]
        slack = 1e-9 * (1 + np.abs(self.high - self.low))[:pieces, None]
        if ((values < self.low[:pieces, None] - slack) | (values > self.high[:pieces, None] + slack)).any():
            raise UsageError("a value lies outside its declared range")
        column = {int(unit): k for k, unit in enumerate(units)}
        for parts in self._parts(plan):
            drawn = np.concatenate(parts)
            self._take(plan, parts, values[:, [column[int(unit)] for unit in drawn]])
        self._round, self._round_before = None, plan.chosen

    def _parts(self, plan: _Round) -> list[list[Indices]]:
        """The round in smaller steps, each with draws of every stratum: guesses are sharpened between them."""
        chancy = [
            units.size for units, queue in zip(plan.units, self._queues, strict=True) if 0 < units.size < queue.size
        ]
        count = sum(units.size for units in plan.units)
        steps = (
            max(1, min([*chancy, count // max(1, self.n // 16)]))
            if len(chancy) == len(self._left().nonzero()[0])
            else 1
        )
        return list(map(list, zip(*(np.array_split(units, steps) for units in plan.units), strict=True)))

    def _take(self, plan: _Round, parts: list[Indices], values: Floats) -> None:
        units = np.concatenate(parts)
        self.values[:, units], self._is_seen[units] = values, True
        for statements, bets in zip(self._statements, self._bets, strict=True):
            self._bet(plan, parts, statements, bets)
        self._sums, self._predicted = self._sums + values.sum(axis=1), None
        self._drawn = np.append(self._drawn, units)
        self._errors = np.concatenate([self._errors, values[None] - plan.predictions[:, :, units]], axis=2)
        for queue, part in zip(self._queues, parts, strict=True):
            self.hazard[queue[part.size :]] += (1 / (queue.size - np.arange(part.size))).sum()
        self._queues = [queue[part.size :] for queue, part in zip(self._queues, parts, strict=True)]

    def learn(self, units: Indices, values: Floats) -> None:
        """Units whose pieces (P, k) become known without a bet: nothing was bet on yet, or they were not drawn here."""
        self.values[:, units], self._is_seen[units] = values, True
        self._sums, self._predicted = np.nansum(self.values, axis=1), None
        self._level = -1  # what is left is split anew

    def lower(self, family: int) -> Floats:
        """(C,) lower bounds of a family's totals now."""
        statements, left = self._statements[family], int((~self.seen).sum())
        certain = statements.weights @ self._sums + left * statements.low + statements.constant
        return np.asarray(np.maximum(self._bets[family].low, certain))

    def forecast(self, family: int) -> float:
        """Units that will have been drawn when a total is known as closely as was asked, as far as those seen say."""
        takes = float(self._takes(self._labels, self._predict(), family, 0).min())
        return 1 / (1 / max(self.n + int((~self._is_seen).sum()), 1) + 1 / max(takes, 1.0))

    # -- one round ------------------------------------------------------------------------------------------

    def _bet(self, plan: _Round, parts: list[Indices], statements: Statements, bets: Martingale) -> None:
        predictions = plan.predictions[plan.chosen]
        if self.n < self._pilot:
            return  # guesses that rest on less cost more than they win, and the sides are told apart by these
        guessed = self._guess(plan.chosen, predictions, statements)
        outlook = self._outlook(statements, guessed)
        if not statements.is_sign and not bets.has_bet:
            delta = float(np.exp(-bets.log_ratio).sum())
            bets.split(split(self._asked(outlook, bets.log_ratio), outlook, delta))
        width = self._half_width(statements, bets.log_ratio, outlook)
        groups = []
        for h, (queue, units) in enumerate(zip(self._queues, parts, strict=True)):
            if queue.size:
                residuals = statements.weights @ (self.values[:, units] - predictions[:, units])
                predicted = statements.weights @ predictions[:, queue].sum(axis=1)
                moments = (part[:, h] for part in (guessed.low, guessed.centre, guessed.variance))
                groups.append(Group(queue.size, predicted, residuals, *moments))
        bets.round(statements.weights @ self._sums + statements.constant, groups, width)

    def _decide(self, count: int, predictions: Floats, family: int, statement: int) -> int:
        """Split or merge the strata when it is worth it, and say which predictor serves best."""
        level = min(_LEVELS_MAX, self.n // _SEEN_A_LEVEL, count // _DRAWS_A_LEVEL)
        labels = np.zeros_like(self._labels)
        takes = self._takes(labels, predictions, family, statement)
        if level:
            strata = score_strata(self.scores, level)
            rounded = 1 + (strata.max() + 1) / (2 * count)  # each stratum's draws are whole numbers
            finer = rounded * self._takes(strata, predictions, family, statement)
            pays = finer.min() < self._worth(strata, family, statement) * takes.min()
            level, labels, takes = (level, strata, finer) if pays else (0, labels, takes)
        if level != self._level:
            self._level, self._labels, self._predicted = level, labels, None
            left = self._rng.permutation(np.flatnonzero(~self.seen))
            self._queues = [left[labels[left] == stratum] for stratum in range(labels.max() + 1)]
        return int(np.argmin(takes))

    def _worth(self, labels: Indices, family: int, statement: int) -> float:
        """Part of the draws that strata must leave: where few values carry the spread, strata differ by chance."""
        weights = self._statements[family].weights[statement]
        errors = min((weights @ each for each in self._errors), key=lambda each: float(each.std()))
        return _WORTH - 0.5 * float(np.sqrt((labels.max() + 1) / max(effective_count(errors), 1.0)))

    def _takes(self, labels: Indices, predictions: Floats, family: int, statement: int) -> Floats:
        """(predictors,) draws that a statement would take with these strata, as far as what was seen says."""
        if not self.n:
            return np.append(0.0, np.ones(len(predictions) - 1))
        statements, log_ratio = self._statements[family], self._bets[family].log_ratio
        if statements.is_sign:
            statements, log_ratio = statements.only(statement), log_ratio[statement : statement + 1]
        queues = [np.flatnonzero(~self._is_seen & (labels == h)) for h in range(labels.max() + 1)]
        guessed = self._moments(self._errors, predictions, statements, (labels, queues), self.n // 2)
        outlook = self._outlook(statements, guessed)
        each = map(Outlook, outlook.value, outlook.variance, outlook.reach)
        takes = np.array([self._draws(statements, log_ratio, one) for one in each])
        return np.append(takes[0], takes[1:] / _BETTER)

    def _left(self) -> Indices:
        return np.array([queue.size for queue in self._queues], dtype=np.int64)

    def _predict(self) -> Floats:
        if self._predicted is None:
            self._predicted = self._predictions()
        return self._predicted

    def _predictions(self) -> Floats:
        """(2 predictors - 1, P, N) predictions inside the range of each piece, then all that learn once more with their
        highest and lowest levelled: what is less extreme is less far from what a value can be."""
        index, low, high = np.flatnonzero(self.seen), self.low[:, None], self.high[:, None]
        if not index.size:
            return np.broadcast_to(np.clip(0.0, low, high), (self._errors.shape[0], *self.values.shape)).copy()
        labels = self._labels[index]
        share = np.bincount(self._labels) / np.maximum(np.bincount(labels, minlength=self._labels.max() + 1), 1)
        known = self.values[:, index]
        rows = np.array(
            [
                [predictor(Seen(index, piece, share[labels]), self.scores) for piece in known]
                for predictor in self._predictors
            ]
        )
        rows = np.clip(rows, low, high)
        least, most = np.quantile(known, _LEVELLED, axis=1)[..., None]
        return np.concatenate([rows, np.clip(rows[1:], least, most)])

    def _guess(self, predictor: int, rows: Floats, statements: Statements) -> _Guessed:
        """What is expected where one predictor says `rows` (P, N); one that learns is judged by what it does lately."""
        start = self.n // 2 if predictor else 0
        return self._moments(self._errors[predictor], rows, statements, (self._labels, self._queues), start)

    def _moments(
        self,
        errors: Floats,
        rows: Floats,
        statements: Statements,
        strata: tuple[Indices, list[Indices]],
        start: int,
    ) -> _Guessed:
        """From `errors` (…, P, n) on units that the predictions `rows` (…, P, N) had not seen.

        Args:
            strata: the stratum of each unit, and the units left of each stratum.
            start: of the draws that count.
        """
        labels, queues = strata
        member = (labels[self._drawn][None] == np.arange(len(queues))[:, None]).astype(np.float64)  # (H, n)
        weighted = statements.weights @ errors  # (…, C, n)
        least, most, predicted = self._ends(rows, statements, queues)
        low, high = statements.low[:, None] - most, statements.high[:, None] - least

        def since(first: int) -> tuple[Floats, Floats]:
            told, part = member[:, first:], weighted[..., first:]
            return guesses(told.sum(axis=1), part @ told.T, part**2 @ told.T, low, high)

        centre, variance = since(start)
        variance = np.maximum(variance, _NEVER_BELOW * since(0)[1]) if start else variance
        left = np.array([queue.size for queue in queues], dtype=np.float64)
        return _Guessed(low, centre, variance, predicted, left)

    def _ends(
        self, predictions: Floats, statements: Statements, queues: list[Indices]
    ) -> tuple[Floats, Floats, Floats]:
        """(…, C, H) least and largest prediction of a stratum's units that are left, (…, P) the sum of all."""
        least, most = np.zeros((2, *predictions.shape[:-2], statements.count, len(queues)))
        total = np.zeros(predictions.shape[:-1])
        for h, queue in enumerate(queues):
            if not queue.size:
                continue
            part = predictions[..., queue]
            total += part.sum(axis=-1)
            if statements.count * queue.size <= _EXACT_ENDS_MAX:
                rows = statements.weights @ part
                least[..., h], most[..., h] = rows.min(axis=-1), rows.max(axis=-1)
            else:
                up, down = np.maximum(statements.weights, 0), np.minimum(statements.weights, 0)
                small, large = part.min(axis=-1), part.max(axis=-1)
                least[..., h], most[..., h] = small @ up.T + large @ down.T, large @ up.T + small @ down.T
        return least, most, total

    def _outlook(self, statements: Statements, guessed: _Guessed) -> Outlook:
        """What the statements are expected to give."""
        share = guessed.left / max(float(guessed.left.sum()), 1.0)
        total = (self._sums + guessed.predicted) @ statements.weights.T + guessed.centre @ guessed.left
        value = (total + statements.constant) / self.scores.size
        reach = (guessed.centre - guessed.low) @ share
        return Outlook(value, (np.sqrt(guessed.variance) @ share) ** 2, reach)

    def _half_width(self, statements: Statements, log_ratio: Floats, outlook: Outlook) -> Floats:
        """(C,) of the totals: what the stakes aim at."""
        if statements.is_sign:
            total = outlook.value * self.scores.size
            error = np.sqrt(outlook.variance / max(self.n, 1)) * float(self._left().sum())
            return np.asarray(np.maximum(total - error / 2, error / 2))
        half = self._asked(outlook, log_ratio)
        first = 2 * half * shared(half, outlook, log_ratio)[0]
        return self.scores.size * np.array([first, 2 * half - first])

    def _draws(self, statements: Statements, log_ratio: Floats, outlook: Outlook) -> float:
        """How many more the statements will take."""
        if statements.is_sign:
            return float(outlook.draws(np.abs(outlook.value), log_ratio)[0])
        return shared(self._asked(outlook, log_ratio), outlook, log_ratio)[1]

    def _asked(self, outlook: Outlook, log_ratio: Floats) -> float:
        """The half-width wanted of a total, in a unit's value."""
        value, variance = outlook.value[:1], outlook.variance[:1]
        seen, size = np.array([float(self.n)]), float(self.scores.size)
        return float(self._aim.half_width(value, variance, seen, size, float(log_ratio.mean()))[0])
