"""Intervals for everything a statement asks of a draw, all holding at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from suffice.answer.asked import Asked
from suffice.answer.block_sums import BlockSums, Floats, Ints
from suffice.answer.certify_asymptotic import Linearised, PieceRanges
from suffice.answer.certify_finite import BlockRanges, FiniteTest
from suffice.answer.sampling_plan import SamplingPlan
from suffice.answer.target import Target
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import fraction_of
from suffice.sql.aggregate.having import having_verdict

Bools = npt.NDArray[np.bool_]
Ends = tuple[Floats, Floats]

FINITE_SHARE = 0.4
"""Share of an interval's failure probability that its finite-sample version gets; the limit theorem has the rest."""

_BETS_MAX = 400_000  # beyond it the bets take longer than the reading


@dataclass(frozen=True)
class FormulaInterval:
    """Per group [groups]: estimate, ends, and whether they are proved for every sample size."""

    estimate: Floats
    low: Floats
    high: Floats
    finite: Bools


class Certificate:
    """Intervals of all formulas for all groups from one draw; together they fail with probability at most `delta`.

    Args:
        batches: blocks to a bet by formula and group, planned before the draw; 1 where nothing is planned.
    """

    def __init__(
        self,
        plan: SamplingPlan,
        asked: Asked,
        sums: BlockSums,
        target: Target,
        delta: float,
        seed: int,
        batches: dict[Formula, Ints],
    ) -> None:
        self.plan, self.asked, self.sums, self.target, self._batches = plan, asked, sums, target, batches
        self.delta = delta / max(len(asked.formulas) * sums.groups, 1)
        size = plan.source.rows_per_block_max
        self.block_ranges = BlockRanges(size * plan.row_low, size * plan.row_high)
        rows = PieceRanges(plan.row_low, plan.row_high)
        self.linearised = {f: Linearised(f, sums, rows) for f in asked.formulas}
        self.is_finite = target.weakest_tier == "finite-sample"
        self._finite_delta = self.delta if self.is_finite else FINITE_SHARE * self.delta
        self._order = np.random.default_rng([seed, len(sums.before)]).permutation(len(sums.drawn))

    def intervals(self) -> dict[Formula, FormulaInterval]:
        """All intervals."""
        return {f: self._interval(f) for f in self.asked.formulas}

    def _interval(self, formula: Formula) -> FormulaInterval:
        """The interval asked for where it is proved or trusted, else what little is known."""
        line = self.linearised[formula]
        below, above = self.needed_ends(formula)
        finite = self._proved(formula, below, above)
        low, high = line.interval((1 - FINITE_SHARE) * self.delta)
        doubt = line.doubt() | self.is_finite
        low, high = np.where(doubt, -math.inf, low), np.where(doubt, math.inf, high)
        # A limit theorem that gives less than was asked for is not taken at its word.
        held = finite | ((low >= below) & (high <= above) & np.isfinite(above - below))
        return FormulaInterval(line.estimate, np.where(held, below, low), np.where(held, above, high), finite)

    def _proved(self, formula: Formula, below: Floats, above: Floats) -> Bools:
        """Groups [groups] for which a finite-sample test puts the formula between `below` and `above`."""
        proved = np.zeros(self.sums.groups, bool)
        fraction = fraction_of(formula)
        if fraction is None:
            return proved
        test = FiniteTest(fraction, self.sums, self.block_ranges, self._order)
        hopeful = self.finite_half_width(formula, len(self.sums.drawn)) <= 1.3 * self.tolerance(formula)
        sizes = self._batches.get(formula, np.ones(0, np.int64))
        for g in np.flatnonzero(hopeful & np.isfinite(above - below)):
            size = int(sizes[g]) if g < len(sizes) else 1
            proved[g] = test.lies_between(int(g), float(below[g]), float(above[g]), self._finite_delta, size)
        return proved

    def value_ends(self, position: int) -> Ends:
        """Values [groups] between which a SELECT item must lie for its rounded estimate to be within the error."""
        estimate, e = self._estimate(self.asked.values[position]), self.target.error_relative_max
        size, rounding = np.abs(estimate), self.asked.rounding[position]
        near, far = (size + rounding) / (1 + e), np.maximum(size - rounding, 0.0) / (1 - e)
        return np.where(estimate > 0, near, -far), np.where(estimate > 0, far, -near)

    def needed_ends(self, formula: Formula) -> Ends:
        """Values [groups] between which `formula` must lie to decide the answer; infinite where it does not matter."""
        below, above = np.full((2, self.sums.groups), [[-math.inf], [math.inf]])
        for position, value in self.asked.values.items():
            if value == formula:
                low, high = self.value_ends(position)
                below = np.where(self._chosen, np.maximum(below, low), below)
                above = np.where(self._chosen, np.minimum(above, high), above)
        margin = self._margin(formula) * (1 - 1e-9)
        return np.maximum(below, self._estimate(formula) - margin), np.minimum(above, self._estimate(formula) + margin)

    def _margin(self, formula: Formula) -> Floats:
        """How far [groups] the formula may be from its estimate before HAVING or the order would change."""
        margin = np.full(self.sums.groups, math.inf)
        if formula in self.asked.differences:
            margin = np.abs(self._estimate(formula))
        if formula == self.asked.order and not self._chosen.all():
            values = self._estimate(formula)
            margin = np.minimum(margin, np.abs(values - (values[self._chosen].min() + values[~self._chosen].max()) / 2))
        return margin

    def tolerance(self, formula: Formula) -> Floats:
        """The half-width [groups] that would decide `formula`."""
        below, above = self.needed_ends(formula)
        result: Floats = np.minimum(self._estimate(formula) - below, above - self._estimate(formula))
        return result

    def _estimate(self, formula: Formula) -> Floats:
        return self.linearised[formula].estimate

    @cached_property
    def _chosen(self) -> Bools:
        """Groups that the result shows, going by the estimates."""
        estimates = [self._estimate(f) for f in self.asked.differences]
        shown, _ = having_verdict(self.plan.query, estimates, estimates, self.sums.groups)
        if self.asked.order is None or shown.sum() <= self.asked.limit:
            return shown
        cut = np.sort(self._estimate(self.asked.order)[shown])[-self.asked.limit]
        result: Bools = shown & (self._estimate(self.asked.order) >= cut)
        return result

    def finite_half_width(self, formula: Formula, n: int) -> Floats:
        """Predicted half-width [groups] of the finite-sample interval from `n` blocks; infinite where there is none."""
        if fraction_of(formula) is None or n > _BETS_MAX:
            return np.full(self.sums.groups, math.inf)
        left, variance = self.sums.left, self.linearised[formula].moments.variance
        spread = np.sqrt(2 * math.log(2 / self._finite_delta) * variance * max(1 / n - 1 / left, 0.0))
        half: Floats = left * spread + self._range_term(formula, n) * (1 - n / left)
        return half

    def _range_term(self, formula: Formula, n: int) -> Floats:
        """The part of a finite-sample half-width [groups] that is due to the range of a block."""
        width = np.nan_to_num(self.block_ranges.high - self.block_ranges.low, nan=np.inf)
        with np.errstate(invalid="ignore"):
            reach = np.nan_to_num(np.abs(self.linearised[formula].gradient).T * width).sum(axis=1)
        term: Floats = self.sums.left * math.log(2 / self._finite_delta) * reach / n
        return term

    def asymptotic_half_width(self, formula: Formula, n: int) -> Floats:
        """Predicted half-width [groups] of the asymptotic interval; infinite where it would not be trusted."""
        line = self.linearised[formula]
        low, high = line.interval((1 - FINITE_SHARE) * self.delta, n)
        half: Floats = np.maximum(line.estimate - low, high - line.estimate)
        return np.where(line.doubt(n) | self.is_finite, math.inf, half)

    def suffices(self, n: int, margin: float, finite_only: bool) -> bool:
        """Whether `n` blocks will probably bring every formula within `margin` of its tolerance."""
        return all(
            bool((self._half_width(f, n, finite_only) <= margin * self.tolerance(f)).all()) for f in self.asked.formulas
        )

    def _half_width(self, formula: Formula, n: int, finite_only: bool) -> Floats:
        finite = self.finite_half_width(formula, n)
        return finite if finite_only else np.minimum(finite, self.asymptotic_half_width(formula, n))

    def batches(self, n: int) -> dict[Formula, Ints]:
        """Blocks [groups] to make a bet of in a draw of `n`, so that ranges still matter little: for the next look."""
        return {f: self._batch(f, n) for f in self.asked.formulas}

    def _batch(self, formula: Formula, n: int) -> Ints:
        room = 0.15 * np.nan_to_num(self.tolerance(formula), posinf=0.0)
        most = np.minimum(room / np.maximum(self._range_term(formula, n), 1e-300), n / 64)
        sizes: Ints = 2 ** np.log2(np.maximum(most, 1)).astype(np.int64)
        return sizes
