"""What the intervals of a draw decide: which groups the result shows, and whether all it shows is within the error."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from suffice.answer.block_sums import Floats
from suffice.answer.certificate import Bools, Certificate, FormulaInterval
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import fraction_of
from suffice.sql.aggregate.having import having_verdict


class Decision:
    """Decided or not, by one certificate.

    Args:
        unseen_blocks: a group in this many blocks or more has been seen.
    """

    def __init__(self, certificate: Certificate, unseen_blocks: int) -> None:
        self.intervals: dict[Formula, FormulaInterval] = certificate.intervals()
        self._certificate, self._unseen_blocks, self.asked = certificate, unseen_blocks, certificate.asked

    def is_decided(self) -> bool:
        """Whether every shown aggregate is within the error, and who is shown is known."""
        return self.shown is not None and all(self._is_within(i)[self.shown].all() for i in self.asked.values)

    def _is_within(self, position: int) -> Bools:
        below, above = self._certificate.value_ends(position)
        interval = self.intervals[self.asked.values[position]]
        result: Bools = (interval.low >= below) & (interval.high <= above)
        return result

    @cached_property
    def shown(self) -> Bools | None:
        """Groups [groups] the result shows, or None while some group is undecided."""
        tests = [self.intervals[f] for f in self.asked.differences]
        lows, highs = [t.low for t in tests], [t.high for t in tests]
        sure, possible = having_verdict(self._certificate.plan.query, lows, highs, self._certificate.sums.groups)
        if (sure != possible).any():
            return None
        return sure if self.asked.order is None else self._top(sure, self.asked.order)

    def _top(self, shown: Bools, order: Formula) -> Bools | None:
        """The groups that LIMIT keeps, when neither a group left out nor one never seen can belong there."""
        rank = self.intervals[order]
        candidates = np.flatnonzero(shown)
        ordered = candidates[np.argsort(-rank.estimate[candidates], kind="stable")]
        top, rest = ordered[: self.asked.limit], ordered[self.asked.limit :]
        if len(top) < self.asked.limit:
            return shown
        rivals = max(float(rank.high[rest].max(initial=-math.inf)), self._unseen_max(order))
        if not rank.low[top].min() > rivals:
            return None
        result = np.zeros_like(shown)
        result[top] = True
        return result

    def _unseen_max(self, order: Formula) -> float:
        """The most that `order` can be for a group in fewer blocks than would have been seen."""
        fraction = fraction_of(order)
        if fraction is None or not fraction.is_linear:
            return math.inf
        scale = fraction.denominator[None]
        weights = {p: w / scale for p, w in fraction.numerator.items() if p is not None}
        constant = fraction.numerator.get(None, 0.0) / scale
        return constant + self._unseen_blocks * sum(self._block_max(p, w) for p, w in weights.items())

    def _block_max(self, piece: int, weight: float) -> float:
        """The most that one block adds; for a limit theorem, half more than any drawn block did for any group."""
        ranges, sums = self._certificate.block_ranges, self._certificate.sums
        proved = max(weight * float(ranges.low[piece]), weight * float(ranges.high[piece]))
        if self._certificate.is_finite:
            return proved
        seen: Floats = weight * sums.values[piece]
        return min(proved, 1.5 * float(seen.max(initial=0.0)))
