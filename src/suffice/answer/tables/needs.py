"""How close each formula must be known for the answer to be decided, going by the estimates of the moment."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.sampling_plan import SamplingPlan
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import Fraction, fraction_of
from suffice.sql.aggregate.having import having_verdict

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


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
        """The half-width of a formula made of several pieces, in equal shares: how far each may be off alone."""
        pieces = sorted(formula.pieces())
        return [
            (own, self._reach(formula, p, width / len(pieces)))
            for p in pieces
            if (own := fraction_of(Formula(piece=p))) is not None
        ]

    def _reach(self, formula: Formula, piece: int, width: Floats) -> Floats:
        """How far [groups] the total of `piece` may be off for the formula to be off by `width` at most.

        Where it hardly matters at first (a mean near 0 in a variance) it still does further out.
        """
        value, gradient = self.values[formula]
        with np.errstate(all="ignore"):
            reach = np.nan_to_num(width / np.abs(gradient[piece]), nan=np.inf)
        most = self.plan.source.units * max(abs(self.plan.low[piece]), abs(self.plan.high[piece]))
        reach = np.where(np.isfinite(width), np.minimum(reach, most), np.inf)
        for _ in range(40):
            far = np.zeros(len(reach), bool)
            for side in (1.0, -1.0):
                moved = self.totals.copy()
                moved[piece] += side * np.where(np.isfinite(reach), reach, 0.0)
                far |= ~(np.abs(formula.value_and_gradient(moved)[0] - value) <= 1.05 * width) & np.isfinite(reach)
            if not far.any():
                break
            reach = np.where(far, reach / 2, reach)
        return reach

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
