"""Selection by a proxy score with a promised recall, a promised precision, or both.

For a threshold t, let v_i = y_i (1[s_i >= t] - recall) or v_i = (y_i - precision) 1[s_i >= t], y_i the oracle's yes
or no. The promise holds for "return all with s >= t" exactly if the v_i sum to at least 0 over the table. So each
promise at each threshold is one lower bound on a total, :mod:`suffice.estimate.martingale` gives them all from one
sample stratified by score, and thresholds are tested in a fixed order, each at the full delta, up to the first not
shown: recall from the lowest score upwards, precision from the highest downwards. A false claim needs the first false
threshold in that order to be "shown", which has probability <= delta, however many thresholds follow. Both promises
take delta / 2 each. Drawing may stop at any time, and strata are drawn as the frontier threshold needs (Neyman): the
bounds allow both.

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

_GROWTH = 1.15
"""Ratio of the sizes of neighbouring candidate answers."""

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
) -> Certificate:
    """Ask the oracle about at most `budget` units and return thresholds with a certificate.

    Args:
        scores: (N,) a number a unit, higher for a likelier yes; of any quality.
        oracle: units (k,) -> answers (k,), 0 or 1.
        recall, precision: least share of the right units that is returned / of the returned units that is right.

    With too small a budget the certificate is still true, but returns all (recall) or only confirmed units (precision).
    """
    table = np.asarray(scores, dtype=np.float64)
    targets = [target for target in (recall, precision) if target is not None]
    if not targets or not all(0 < target < 1 for target in targets) or not 0 < confidence < 1:
        raise UsageError("selection needs a recall or a precision target, and a confidence, each between 0 and 1")
    if not table.size or not np.isfinite(table).all():
        raise UsageError("selection needs at least one unit, and finite scores")
    tests = _Tests(table, recall, precision, (1 - confidence) / len(targets), rng)
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
        self, scores: Floats, recall: float | None, precision: float | None, delta: float, rng: np.random.Generator
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
        self._yes_above = np.where(is_recall, 1 - (recall or 0), 1 - (precision or 0))
        self._yes_below = np.where(is_recall, -(recall or 0), 0.0)
        self._no_above = np.where(is_recall, 0.0, -(precision or 0))
        self._above = np.array([[np.mean(scores[q] >= cut) for q in self._queues] for cut in self.cuts])  # (C, H)
        self._has_recall, self._has_precision = recall is not None, precision is not None
        self._counts = np.zeros((2, len(self._queues)))  # units and yeses seen in each stratum
        self._known = np.zeros(self.cuts.size)
        self._bets = Martingale(delta, self.cuts.size, is_sign=True)
        self._turn = 0

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
        """The next units to ask; none when nothing more can be shown within the budget."""
        rest = budget - int(self._counts[0].sum())
        mean, variance = self._moments()
        left = np.array([queue.size for queue in self._queues], dtype=np.int64)
        fronts = [int(chain[self._shown(chain)]) for chain in self._chains if self._shown(chain) < chain.size]
        fronts = [front for front in fronts if self._is_open(front, mean, variance, left, rest)]
        if not fronts or rest <= 0:
            return np.zeros(0, dtype=np.int64)
        front = fronts[self._turn % len(fronts)]
        self._turn += 1
        matters = (self._above[front] > 0) | (self._yes_below[front] < 0)
        deviation, reach = np.sqrt(variance[front]), mean[front] - self._lows()[front]
        count = max(2 * int(matters.sum()), int(self._counts[0].sum()) // 12)
        draws = neyman(left * matters, deviation, reach, self._half_width(mean, variance, left)[front], count)
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
            elif queue.size:  # a statement in which this stratum has a part sits the round out
                width[(self._above[:, stratum] > 0) | (self._yes_below < 0)] = 0.0
            self._queues[stratum] = queue[drawn.size :]
        self._bets.round(self._known, groups, width)
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
        mean, square = (chances * values).sum(axis=0), (chances * values**2).sum(axis=0)
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

    def _is_open(self, front: int, mean: Floats, variance: Floats, left: Indices, rest: int) -> bool:
        """Whether the next threshold may still be shown with the calls that are left."""
        spent = int(self._counts[0].sum())
        total, error = self._total(mean, variance, left)
        hope = float(total[front] + 2 * error[front])
        spread = float(left @ np.sqrt(variance[front]))
        return (
            not spent or 2 * float(self._bets.log_ratio[front]) * spread**2 < (2 * rest + spent) * max(hope, 0.0) ** 2
        )


def _candidates(scores: Floats) -> Floats:
    """Thresholds whose answers grow by `_GROWTH` from `_FIRST` units to all of them."""
    steps = math.log(max(scores.size / _FIRST, 1)) / math.log(_GROWTH)
    sizes = np.minimum(_FIRST * _GROWTH ** np.arange(math.ceil(steps) + 1), scores.size).astype(np.int64)
    return np.unique(np.sort(scores)[-sizes])
