"""How close each formula must be known for the answer to be decided, going by the estimates of the moment."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.formula_interval import formula_interval
from suffice.answer.tables.sampling_plan import SamplingPlan
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import Fraction, fraction_of
from suffice.sql.aggregate.having import having_verdict

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_SHRINKS = 30
_LEEWAY = 1.1  # of a width, for what interval arithmetic adds to the sum of first-order shares


def value_ends(estimate: Floats, rounding: float, error_relative_max: float | None) -> tuple[Floats, Floats]:
    """Values [groups] between which the truth must lie for `estimate` [groups], rounded, to be within the error."""
    if error_relative_max is None:
        return np.full_like(estimate, -np.inf), np.full_like(estimate, np.inf)
    size = np.abs(estimate)
    near = (size + rounding) / (1 + error_relative_max)
    far = np.maximum(size - rounding, 0.0) / (1 - error_relative_max)
    return np.where(estimate > 0, near, -far), np.where(estimate > 0, far, -near)


class Needs:
    """For one moment's estimates.

    Args:
        totals: [pieces, groups] estimated.
        error_relative_max: None when any error will do.
    """

    def __init__(self, plan: SamplingPlan, totals: Floats, error_relative_max: float | None) -> None:
        self.plan, self.totals, self.error = plan, totals, error_relative_max
        self.values = {f: f.value_and_gradient(totals) for f in plan.asked.formulas}
        self.chosen = self._chosen()

    def estimate(self, formula: Formula) -> Floats:
        """[groups]"""
        return self.values[formula][0]

    def value_ends(self, position: int) -> tuple[Floats, Floats]:
        """Values [groups] between which a SELECT item must lie for its rounded estimate to be within the error."""
        return value_ends(
            self.estimate(self.plan.asked.values[position]), self.plan.asked.rounding[position], self.error
        )

    @cached_property
    def half_widths(self) -> Floats:
        """[fractions, groups] that decide everything; infinite where nothing depends on it."""
        fractions = self.plan.fractions
        result = np.full((len(fractions), self.totals.shape[1]), np.inf)
        for formula in self.plan.asked.formulas:
            width, own = self._half_width(formula), fraction_of(formula)
            for fraction, part in [(own, width)] if own is not None else self._shared(formula, width):
                position = fractions.index(fraction)
                result[position] = np.fmin(result[position], part)
        return result

    def _shared(self, formula: Formula, width: Floats) -> list[tuple[Fraction, Floats]]:
        """The half-width of a formula made of several pieces, in shares: equal ones, to first order.

        A piece that hardly matters at first (a mean near 0 in a variance) does further out, so those that add most
        shrink until the interval made of all pieces is about as narrow as wanted.
        """
        pieces = sorted(formula.pieces())
        owns = [own for p in pieces if (own := fraction_of(Formula(piece=p))) is not None]
        value, gradient = self.values[formula]
        totals = self.totals[pieces]
        ends = np.maximum(np.abs(self.plan.low[pieces]), np.abs(self.plan.high[pieces]))

        def joint(reach: Floats) -> Floats:
            low, high = formula_interval(formula, owns, totals - reach, totals + reach)
            return np.maximum(high - value, value - low)

        with np.errstate(all="ignore"):
            share = np.nan_to_num(width / len(pieces) / np.abs(gradient[pieces]), nan=np.inf)
            reach = np.fmin(share, self.plan.source.units * ends[:, None])
            for _ in range(_SHRINKS):
                whole = joint(reach)
                wide = np.isfinite(width) & ~(whole <= _LEEWAY * width)
                if not wide.any():
                    break
                adds = np.array([whole - joint(np.where(np.arange(len(pieces))[:, None] == p, 0.0, reach))
                                 for p in range(len(pieces))])  # fmt: skip
                adds = np.where(np.isnan(adds), reach > 0.5 * np.abs(totals), adds)
                reach = np.where(wide & (adds >= adds.max(axis=0) / 2), reach * 0.6, reach)
        return list(zip(owns, np.where(np.isfinite(width), reach, np.inf), strict=True))

    def _half_width(self, formula: Formula) -> Floats:
        """[groups]"""
        estimate = self.estimate(formula)
        width = self._margin(formula)
        for position, value in self.plan.asked.values.items():
            if value == formula:
                low, high = self.value_ends(position)
                width = np.where(self.chosen, np.fmin(width, np.minimum(estimate - low, high - estimate)), width)
        return width

    def _margin(self, formula: Formula) -> Floats:
        """How far [groups] the formula may be from its estimate before HAVING or the order would change."""
        asked, margin = self.plan.asked, np.full(self.totals.shape[1], np.inf)
        if formula in asked.differences:
            margin = np.abs(self.estimate(formula))
        if formula == asked.order and self.chosen.any() and not self.chosen.all():
            values = self.estimate(formula)
            middle = (np.nanmin(values[self.chosen]) + np.nanmax(values[~self.chosen])) / 2
            margin = np.fmin(margin, np.abs(values - middle))
        return margin

    def _chosen(self) -> Bools:
        """Groups [groups] that the result shows, going by the estimates."""
        asked, groups = self.plan.asked, self.totals.shape[1]
        estimates = [self.estimate(f) for f in asked.differences]
        shown, _ = having_verdict(self.plan.query, estimates, estimates, groups)
        if asked.order is None or shown.sum() <= asked.limit:
            return shown
        ranks = np.where(shown & np.isfinite(self.estimate(asked.order)), self.estimate(asked.order), -np.inf)
        result = np.zeros(groups, bool)
        result[np.argsort(-ranks, kind="stable")[: asked.limit]] = True
        return result
