"""Selection by a proxy score with a promised recall, a promised precision, or both.

For a threshold t, let v_i = y_i (1[s_i >= t] - recall) or v_i = (y_i - precision) 1[s_i >= t], y_i the oracle's yes
or no. The promise holds for "return all with s >= t" exactly if the v_i sum to at least 0 over the table. So each
promise at each threshold is one lower bound on a total, :mod:`suffice.estimate.martingale` gives them all from one
sample stratified by score, and thresholds are tested in a fixed order, each at the full delta, up to the first not
shown: recall from the lowest score upwards, precision from the highest downwards. A false claim needs the first false
threshold in that order to be "shown", which has probability <= delta, however many thresholds follow. Both promises
take delta / 2 each. Drawing may stop at any time, and strata are drawn as the frontier threshold needs (Neyman): the
bounds allow both.

With both promises, units between the thresholds are asked one by one, and those in the answer are right. So what is
accepted on the score alone may hold more wrong ones than a share 1 - precision of itself: where recall holds, the
answer has at least recall * Y right units, Y being all that are right, and it keeps the precision if at most
recall * Y (1 - precision) / precision of those above t are wrong. That is ``v_i = recall (1 - precision) y_i -
precision (1 - y_i) 1[s_i >= t]``, whatever the lower threshold turns out to be.

Sources: fixed-sequence testing (Maurer, Hothorn & Lehmacher 1995) for thresholds as in BARGAIN (arXiv 2509.02896); the
problem from SUPG (VLDB 2020), whose importance sampling the strata replace; no normal limit is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from suffice.errors import UsageError
from suffice.estimate.certificate import Certificate
from suffice.estimate.guesses import guesses
from suffice.estimate.martingale import Group, Martingale
from suffice.estimate.neyman import neyman
from suffice.estimate.score_strata import score_strata

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
Oracle = Callable[[Indices], npt.ArrayLike]

_GROWTH = 1.08
"""Ratio of the sizes of neighbouring candidate answers."""

_PILOT = 100
"""Units drawn before the first bet: bets that rest on less lose more than they win."""

_INDEPENDENT = 4.0
"""Units that a stratum's guess of values counts for which takes right ones to lie anywhere in it."""

_FIRST = 50
"""Size of the smallest candidate answer, and of the smallest stratum."""


def select_by_score(
    scores: npt.ArrayLike,
    oracle: Oracle,
    confidence: float,
    budget: int,
    rng: np.random.Generator,
    *,
    recall: float | None = None,
    precision: float | None = None,
    asks_rest: bool = False,
) -> Certificate:
    """Ask the oracle about at most `budget` units and return thresholds with a certificate.

    Args:
        scores: (N,) a number a unit, higher for a likelier yes; of any quality.
        oracle: units (k,) -> answers (k,), 0 or 1.
        recall, precision: least share of the right units that is returned / of the returned units that is right.
        asks_rest: every unit that the thresholds leave in doubt will be asked: drawing stops when it would cost more
            than it spares.

    With too small a budget the certificate is still true, but returns all (recall) or only confirmed units (precision).
    """
    table = np.asarray(scores, dtype=np.float64)
    targets = [target for target in (recall, precision) if target is not None]
    if not targets or not all(0 < target < 1 for target in targets) or not 0 < confidence < 1:
        raise UsageError("selection needs a recall or a precision target, and a confidence, each between 0 and 1")
    if not table.size or not np.isfinite(table).all():
        raise UsageError("selection needs at least one unit, and finite scores")
    tests = _Tests(table, recall, precision, (1 - confidence) / len(targets), rng, asks_rest, min(_PILOT, budget // 4))
    while (units := tests.draw(budget)).size:
        tests.observe(units, np.asarray(oracle(units), dtype=np.float64))
    reject_below, accept_above = tests.thresholds()
    labelled = np.flatnonzero(np.isfinite(tests.labels))
    return Certificate(
        accept_above, reject_below, recall, precision, confidence, labelled, tests.labels[labelled] > 0.5
    )  # fmt: skip


class _Tests:
    """All thresholds' totals, bounded from one sample; statements (C,) are recall's, lowest first, then precision's."""

    def __init__(
        self,
        scores: Floats,
        recall: float | None,
        precision: float | None,
        delta: float,
        rng: np.random.Generator,
        asks_rest: bool,
        pilot: int,
    ) -> None:
        self.scores, self.labels = scores, np.full(scores.size, np.nan)
        strata = score_strata(scores, 20, _FIRST, upper_only=True)
        order = rng.permutation(scores.size)
        self._queues = [order[strata[order] == stratum] for stratum in range(strata.max() + 1)]
        cuts = _candidates(scores)
        chains = [np.sort(cuts)] * (recall is not None) + [-np.sort(-cuts)] * (precision is not None)
        self.cuts = np.concatenate(chains)
        self._chains = np.split(np.arange(self.cuts.size), len(chains))  # statement numbers, in testing order
        is_recall = np.arange(self.cuts.size) < (cuts.size if recall is not None else 0)
        # v = y * (yes_above or yes_below) + (1 - y) * (no_above or 0)
        right = (recall or 1.0) * (1 - (precision or 0))
        self._yes_above = np.where(is_recall, 1 - (recall or 0), right)
        self._yes_below = np.where(is_recall, -(recall or 0), 0.0 if recall is None else right)
        self._no_above = np.where(is_recall, 0.0, -(precision or 0))
        self._above = np.array([[np.mean(scores[q] >= cut) for q in self._queues] for cut in self.cuts])  # (C, H)
        self._has_recall, self._has_precision = recall is not None, precision is not None
        self._counts = np.zeros((2, len(self._queues)))  # units and yeses seen in each stratum
        self._sums = np.zeros((2, self.cuts.size, len(self._queues)))  # of the statements' values seen, their squares
        self._known = np.zeros(self.cuts.size)
        self._bets = Martingale(delta, self.cuts.size, is_sign=True, is_wary=True)
        self._turn = 0
        self._sorted, self._asks_rest = np.argsort(scores), asks_rest
        self._pilot, self._is_piloted = pilot, not pilot

    def thresholds(self) -> tuple[float, float]:
        """(reject_below, accept_above) shown so far."""
        shown = [self.cuts[chain[: self._shown(chain)]] for chain in self._chains]
        lowest = float(self.scores.min())
        reject = float(shown[0][-1]) if self._has_recall and shown[0].size else lowest
        if not self._has_precision:
            return reject, reject
        accept = float(shown[-1][-1]) if shown[-1].size else math.inf
        return (min(reject, accept) if self._has_recall else accept), accept

    def _shown(self, chain: Indices) -> int:
        """How many thresholds of a chain are shown: those before the first that is not."""
        held = self._bets.low[chain] >= 0
        return int(chain.size if held.all() else np.argmin(held))

    def draw(self, budget: int) -> Indices:
        """The next units to ask; none when nothing more can be shown within the budget, or is worth it."""
        rest = budget - int(self._counts[0].sum())
        mean, variance = self._moments()
        left = np.array([queue.size for queue in self._queues], dtype=np.int64)
        tried = [self._goal(chain[self._shown(chain) :], mean, variance, left, rest) for chain in self._chains]
        goals = [goal for goal in tried if goal is not None]
        if not goals or rest <= 0:
            return np.zeros(0, dtype=np.int64)
        goal = goals[self._turn % len(goals)]
        self._turn += 1
        matters = (self._above[goal] > 0) | (self._yes_below[goal] != 0)
        deviation, reach = np.sqrt(variance[goal]), mean[goal] - self._lows()[goal]
        count = max(2 * int(matters.sum()), int(self._counts[0].sum()) // 12)
        width = float(self._half_width(mean, variance, left)[goal])
        draws = neyman(left * matters, deviation, reach, width, count)
        return np.concatenate([queue[:k] for queue, k in zip(self._queues, draws, strict=True)])[:rest]

    def observe(self, units: Indices, answers: Floats) -> None:
        """Bet on a round's answers."""
        self.labels[units] = answers
        mean, variance = self._moments()
        left = np.array([queue.size for queue in self._queues], dtype=np.int64)
        width, low, zero = self._half_width(mean, variance, left), self._lows(), np.zeros(self.cuts.size)
        groups, values = [], np.zeros((self.cuts.size, 0))
        for stratum, queue in enumerate(self._queues):
            drawn = queue[np.isfinite(self.labels[queue])]
            if drawn.size:
                v = self._values(drawn)
                moments = (low[:, stratum], mean[:, stratum], variance[:, stratum])
                groups.append(Group(queue.size, zero, v, *moments))
                values = np.concatenate([values, v], axis=1)
                self._counts[:, stratum] += drawn.size, self.labels[drawn].sum()
                self._sums[:, :, stratum] += v.sum(axis=1), (v**2).sum(axis=1)
            elif queue.size:  # a statement that this stratum could push down sits the round out
                width[(self._above[:, stratum] > 0) | (self._yes_below < 0)] = 0.0
            self._queues[stratum] = queue[drawn.size :]
        if self._is_piloted:
            self._bets.round(self._known, groups, width)
        self._is_piloted = self._counts[0].sum() >= self._pilot
        self._known = self._known + values.sum(axis=1)

    def _values(self, units: Indices) -> Floats:
        """(C, k) the statements' values of units that have been answered."""
        above, y = self.scores[units] >= self.cuts[:, None], self.labels[units]
        yes = np.where(above, self._yes_above[:, None], self._yes_below[:, None])
        return np.asarray(np.where(above, self._no_above[:, None], 0.0) * (1 - y) + yes * y)

    def _moments(self) -> tuple[Floats, Floats]:
        """(C, H) guessed mean and variance of the statements' values."""
        seen, yeses = self._counts
        share, _ = guesses(seen, yeses, yeses, np.zeros_like(seen), np.ones_like(seen))
        above, below = self._above, 1 - self._above
        chances = np.stack([above * share, below * share, above * (1 - share)])
        values = np.stack([self._yes_above, self._yes_below, self._no_above])[:, :, None]
        expected, weight = np.stack([(chances * values).sum(axis=0), (chances * values**2).sum(axis=0)]), _INDEPENDENT
        mean, square = (self._sums + weight * expected) / (seen + weight)
        return np.maximum(mean, self._lows()), np.maximum(square - mean**2, 1e-12)

    def _lows(self) -> Floats:
        """(C, H) least value a unit can have."""
        above = np.where(self._above > 0, self._no_above[:, None], 0.0)
        return np.asarray(np.minimum(above, np.where(self._above < 1, self._yes_below[:, None], 0.0)))

    def _half_width(self, mean: Floats, variance: Floats, left: Indices) -> Floats:
        """(C,) distance of each total from 0, the value bet against, on the safe side of its noise."""
        total, error = self._total(mean, variance, left)
        return np.maximum(total - error / 2, error / 2)

    def _total(self, mean: Floats, variance: Floats, left: Indices) -> tuple[Floats, Floats]:
        """(C,) guessed totals and their standard errors."""
        return self._known + mean @ left, np.sqrt(variance @ (left**2 / np.maximum(self._counts[0], 1)))

    def _goal(self, later: Indices, mean: Floats, variance: Floats, left: Indices, rest: int) -> int | None:
        """Of the thresholds not shown yet, in testing order, the one to draw for: all before it are shown on the way.

        The farthest that the calls left are likely to reach, or, where the rest is asked, the one that spares most
        beyond what it takes.
        """
        spent = int(self._counts[0].sum())
        if not later.size:
            return None
        if not spent:
            return int(later[0])
        total, error = self._total(mean, variance, left)
        reach, spread = (mean - self._lows())[later] @ left, (np.sqrt(variance[later]) @ left) ** 2

        def takes(errors: float) -> Floats:
            """(k,) draws until a threshold is shown, if its total is so many errors above the guess."""
            hope = np.maximum(total[later] + errors * error[later], 1e-9)
            draws = 2 * self._bets.log_ratio[later] * (spread + hope * reach) / hope**2 - spent / 2
            return np.asarray(np.maximum.accumulate(draws))  # none is shown before those in front of it

        if self._asks_rest:
            gain = np.where((cost := takes(0.5)) < rest, self._spared(later) - cost, 0.0)
            return int(later[np.argmax(gain)]) if gain.max() > 0 else None
        if takes(2.0)[0] >= rest:
            return None
        return int(later[max(int((takes(0.0) < rest).sum()) - 1, 0)])

    def _spared(self, later: Indices) -> Floats:
        """(k,) units that need not be asked once each of these thresholds is shown."""
        reject, accept = self.thresholds()
        scores = self.scores[self._sorted]
        unsure = np.isnan(self.labels[self._sorted]) & (scores >= reject)
        if self._has_precision:
            unsure &= scores < accept
        below = np.append(0, np.cumsum(unsure))[np.searchsorted(scores, self.cuts[later])]
        rises = self._has_recall and later[-1] == self._chains[0][-1]
        return np.asarray(below if rises else unsure.sum() - below, dtype=np.float64)


def _candidates(scores: Floats) -> Floats:
    """Thresholds whose answers grow by `_GROWTH` from `_FIRST` units to all of them."""
    steps = math.log(max(scores.size / _FIRST, 1)) / math.log(_GROWTH)
    sizes = np.minimum(_FIRST * _GROWTH ** np.arange(math.ceil(steps) + 1), scores.size).astype(np.int64)
    return np.unique(np.sort(scores)[-sizes])
