"""Intervals for everything a statement asks of a draw, all holding at once, and whether they decide the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from suffice.answer.block_sums import BlockSums, Floats
from suffice.answer.certify_asymptotic import Linearised, PieceRanges
from suffice.answer.certify_finite import BlockRanges, FiniteTest
from suffice.answer.sampling_plan import SamplingPlan
from suffice.answer.target import Target
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import fraction_of
from suffice.sql.aggregate.having import having_differences, having_verdict
from suffice.sql.aggregate.not_sampled import NotSampledError

Bools = npt.NDArray[np.bool_]

FINITE_SHARE = 0.4
"""Share of the failure probability of each interval that its finite-sample version gets; the limit theorem has the rest."""

_RANGE_TERM = 1.0  # of a bet's half-width; only used to predict, see bench


_BETS_MAX = 400_000  # beyond it the bets take longer than the reading


@dataclass(frozen=True)
class Asked:
    """Formulas to bound: aggregate columns of SELECT, comparisons of HAVING, and the order that LIMIT cuts.

    Attributes:
        values: by SELECT position.
        differences: of HAVING, see :func:`having_differences`.
        order: what ORDER BY … LIMIT `limit` ranks by, descending when `descending`; None when nothing ranks.
    """

    values: dict[int, Formula]
    differences: list[Formula]
    order: Formula | None
    descending: bool
    limit: int

    @property
    def formulas(self) -> list[Formula]:
        """Each distinct formula once."""
        order = [] if self.order is None else [self.order]
        return list(dict.fromkeys([*self.values.values(), *self.differences, *order]))


def asked_of(plan: SamplingPlan) -> Asked:
    """What `plan`'s statement asks; raises :class:`NotSampledError` when its order has no bound."""
    query = plan.query
    values = {i: f for i, f in enumerate(query.outputs) if f is not None}
    order, limit = query.final.args.get("order"), query.final.args.get("limit")
    if order is None or limit is None or not query.keys:
        return Asked(values, having_differences(query), None, False, 0)
    if not (isinstance(limit.expression, exp.Literal) and limit.expression.is_int):
        raise NotSampledError("LIMIT is not a plain number")
    first = order.expressions[0]
    column = _named_item(query.final, first.this)
    if not any(c.name.startswith("__a") for c in column.find_all(exp.Column)):
        if any(c.name.startswith("__a") for o in order.expressions for c in o.find_all(exp.Column)):
            raise NotSampledError("ORDER BY a key, then an aggregate, with LIMIT")
        return Asked(values, having_differences(query), None, False, 0)
    if not first.args.get("desc"):
        raise NotSampledError("the least k groups may be ones that a sample misses (ORDER BY … ASC LIMIT)")
    return Asked(
        values, having_differences(query), query.formula_of(column, "ORDER BY"), True, int(limit.expression.this)
    )


def _named_item(final: exp.Select, node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal) and node.is_int:
        item: exp.Expr = final.expressions[int(node.this) - 1].unalias()
        return item
    return node


class Certificate:
    """Intervals of all formulas for all groups from one draw; together they fail with probability at most `delta`."""

    def __init__(
        self, plan: SamplingPlan, asked: Asked, sums: BlockSums, target: Target, delta: float, seed: int
    ) -> None:
        self.plan, self.asked, self.sums, self.target = plan, asked, sums, target
        self.delta = delta / max(len(asked.formulas) * sums.groups, 1)
        size = plan.source.rows_per_block_max
        self._block_ranges = BlockRanges(size * plan.row_low, size * plan.row_high)
        rows = PieceRanges(plan.row_low, plan.row_high)
        self.linearised = {f: Linearised(f, sums, rows) for f in asked.formulas}
        self.is_finite = target.weakest_tier == "finite-sample"
        self._order = np.random.default_rng([seed, len(sums.before)]).permutation(len(sums.drawn))

    @cached_property
    def _finite_delta(self) -> float:
        return self.delta if self.is_finite else FINITE_SHARE * self.delta

    def finite_half_width(self, formula: Formula, n: int) -> Floats:
        """Predicted half-width [groups] of the finite-sample interval from `n` blocks; infinite where there is none."""
        if fraction_of(formula) is None or n > _BETS_MAX:
            return np.full(self.sums.groups, math.inf)
        left, variance = self.sums.left, self.linearised[formula].moments.variance
        spread = np.sqrt(2 * self._log_ratio * variance * max(1 / n - 1 / left, 0.0))
        half: Floats = left * spread + self._range_term(formula, n) * (1 - n / left)
        return half

    def _range_term(self, formula: Formula, n: int) -> Floats:
        """The part of a finite-sample half-width [groups] that is due to the range of a block."""
        width = np.nan_to_num(self._block_ranges.high - self._block_ranges.low, nan=np.inf)
        with np.errstate(invalid="ignore"):
            reach = np.nan_to_num(np.abs(self.linearised[formula].gradient).T * width).sum(axis=1)
        term: Floats = _RANGE_TERM * self.sums.left * self._log_ratio * reach / n
        return term

    @cached_property
    def _log_ratio(self) -> float:
        return math.log(2 / self._finite_delta)

    def asymptotic_half_width(self, formula: Formula, n: int) -> Floats:
        """Predicted half-width [groups] of the asymptotic interval; infinite where it would not be trusted."""
        line = self.linearised[formula]
        low, high = line.interval((1 - FINITE_SHARE) * self.delta, n)
        half: Floats = np.maximum(line.estimate - low, high - line.estimate)
        return np.where(line.doubt(n) | self.is_finite, math.inf, half)

    def tolerance(self) -> dict[Formula, Floats]:
        """The half-width [groups] that would decide each formula, from the estimates; infinite where it does not matter."""
        chosen = self._chosen()
        result = {f: np.full(self.sums.groups, math.inf) for f in self.asked.formulas}
        for difference in self.asked.differences:
            result[difference] = np.abs(self.linearised[difference].estimate)
        e = self.target.error_relative_max
        for formula in self.asked.values.values():
            wanted = e / (1 + e) * np.abs(self.linearised[formula].estimate)
            result[formula] = np.where(chosen, np.minimum(result[formula], wanted), result[formula])
        if self.asked.order is not None:
            result[self.asked.order] = np.minimum(result[self.asked.order], self._gaps())
        return result

    def _estimate(self, formula: Formula) -> Floats:
        return self.linearised[formula].estimate

    def _chosen(self) -> Bools:
        """Groups that the result shows, going by the estimates."""
        estimates = [self._estimate(f) for f in self.asked.differences]
        shown, _ = having_verdict(self.plan.query, estimates, estimates, self.sums.groups)
        if self.asked.order is None or shown.sum() <= self.asked.limit:
            return shown
        cut = np.sort(self._estimate(self.asked.order)[shown])[-self.asked.limit]
        result: Bools = shown & (self._estimate(self.asked.order) >= cut)
        return result

    def _gaps(self) -> Floats:
        assert self.asked.order is not None
        values, chosen = self._estimate(self.asked.order), self._chosen()
        if chosen.all():
            return np.full(len(values), math.inf)
        middle = (values[chosen].min() + values[~chosen].max()) / 2
        return np.abs(values - middle)

    def decide(self) -> Decision:
        """Compute the intervals and see whether they decide the answer."""
        tolerance = self.tolerance()
        return Decision(self, {f: self._interval(f, tolerance[f]) for f in self.asked.formulas})

    def _interval(self, formula: Formula, tolerance: Floats) -> FormulaInterval:
        """The interval asked for where it is proved or trusted, else what little is known."""
        line, drawn = self.linearised[formula], len(self.sums.drawn)
        below, above = self._asked_ends(formula, tolerance)
        finite = self._proved(formula, below, above, self.finite_half_width(formula, drawn) <= 1.3 * tolerance)
        low, high = line.interval((1 - FINITE_SHARE) * self.delta)
        doubt = line.doubt() | self.is_finite
        low, high = np.where(doubt, -math.inf, low), np.where(doubt, math.inf, high)
        # A limit theorem that gives less than was asked for is not taken at its word.
        within = ~doubt & np.isfinite(tolerance) & (low >= below) & (high <= above)
        low, high = np.where(finite | within, below, low), np.where(finite | within, above, high)
        return FormulaInterval(line.estimate, low, high, finite)

    def _asked_ends(self, formula: Formula, tolerance: Floats) -> tuple[Floats, Floats]:
        """The values [groups] between which a formula must lie: within the error, or within the tolerance."""
        estimate, e = self.linearised[formula].estimate, self.target.error_relative_max
        ends = estimate - tolerance * (1 - 1e-9), estimate + tolerance * (1 - 1e-9)
        if formula not in self.asked.values.values():
            return ends
        near, far = np.abs(estimate) / (1 + e), np.abs(estimate) / (1 - e)
        low, high = np.where(estimate > 0, near, -far), np.where(estimate > 0, far, -near)
        return np.maximum(low, ends[0]), np.where(tolerance < np.abs(estimate) * e / (1 + e) * 0.999, ends[1], high)

    def _proved(self, formula: Formula, below: Floats, above: Floats, likely: Bools) -> Bools:
        """Groups [groups] for which a finite-sample test puts the formula between `below` and `above`."""
        proved = np.zeros(self.sums.groups, bool)
        fraction = fraction_of(formula)
        if fraction is None:
            return proved
        test = FiniteTest(fraction, self.sums, self._block_ranges, self._order)
        room = 0.15 * (above - below) / 2
        drawn = len(self.sums.drawn)
        for g in np.flatnonzero(likely & np.isfinite(above - below)):
            batch = min(room[g] / max(self._range_term(formula, drawn)[g], 1e-300), drawn / 64)
            size = 2 ** max(0, int(math.log2(max(batch, 1))))
            proved[g] = test.lies_between(int(g), float(below[g]), float(above[g]), self._finite_delta, size)
        return proved


@dataclass(frozen=True)
class FormulaInterval:
    """Per group [groups]: estimate, ends, and whether they are proved for every sample size."""

    estimate: Floats
    low: Floats
    high: Floats
    finite: Bools

    def is_within(self, error_relative_max: float) -> Bools:
        """Whether the estimate is within the error of every value in the interval [groups]."""
        nearest = np.where(self.estimate > 0, self.low, -self.high)
        furthest = np.where(self.estimate > 0, self.high, -self.low)
        size = np.abs(self.estimate)
        e = error_relative_max
        result: Bools = (nearest > 0) & (size - nearest <= e * nearest * (1 + 1e-9)) & (furthest - size <= e * furthest * (1 + 1e-9))
        return result


class Decision:
    """What the intervals of one certificate decide."""

    def __init__(self, certificate: Certificate, intervals: dict[Formula, FormulaInterval]) -> None:
        self.intervals, self._certificate = intervals, certificate
        self.asked = certificate.asked

    @cached_property
    def shown(self) -> Bools | None:
        """Groups the result shows, or None while some group is undecided."""
        tests = [self.intervals[f] for f in self.asked.differences]
        groups = self._certificate.sums.groups
        sure, possible = having_verdict(
            self._certificate.plan.query, [t.low for t in tests], [t.high for t in tests], groups
        )
        if (sure != possible).any():
            return None
        return self._cut(sure) if self.asked.order is not None else sure

    def _cut(self, shown: Bools) -> Bools | None:
        assert self.asked.order is not None
        rank = self.intervals[self.asked.order]
        candidates = np.flatnonzero(shown)
        if len(candidates) <= self.asked.limit:
            return shown
        ordered = candidates[np.argsort(-rank.estimate[candidates], kind="stable")]
        top, rest = ordered[: self.asked.limit], ordered[self.asked.limit :]
        if not rank.low[top].min() > rank.high[rest].max():
            return None
        result = np.zeros_like(shown)
        result[top] = True
        return result

    def is_decided(self) -> bool:
        """Whether every shown aggregate is within the error, and who is shown is known."""
        if self.shown is None:
            return False
        e = self._certificate.target.error_relative_max
        return all(self.intervals[f].is_within(e)[self.shown].all() for f in self.asked.values.values())
