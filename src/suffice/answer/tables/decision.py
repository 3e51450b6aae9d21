"""What the intervals decide: which groups the result shows, and whether all it shows is within the error."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.needs import Needs
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import fraction_of
from suffice.sql.aggregate.having import having_verdict

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Intervals = Mapping[Formula, tuple[Floats, Floats]]


def shown_groups(needs: Needs, intervals: Intervals, unseen_units_max: int) -> Bools | None:
    """Groups [groups] the result shows, or None while some group is undecided.

    Args:
        unseen_units_max: a group with rows in more units than this has been seen.
    """
    asked = needs.plan.asked
    tests = [intervals[f] for f in asked.differences]
    groups = needs.totals.shape[1]
    sure, possible = having_verdict(needs.plan.query, [t[0] for t in tests], [t[1] for t in tests], groups)
    if (sure != possible).any():
        return None
    return sure if asked.order is None else _top(needs, intervals, sure, unseen_units_max)


def is_within(needs: Needs, intervals: Intervals, shown: Bools) -> bool:
    """Whether every aggregate of every shown group is within the error asked for."""
    for position, formula in needs.plan.asked.values.items():
        below, above = needs.value_ends(position)
        low, high = intervals[formula]
        if not ((low >= below) & (high <= above))[shown].all():
            return False
    return True


def _top(needs: Needs, intervals: Intervals, shown: Bools, unseen_units_max: int) -> Bools | None:
    """The groups that LIMIT keeps, when neither a group left out nor one never seen can belong there."""
    order, limit = needs.plan.asked.order, needs.plan.asked.limit
    assert order is not None
    low, high = intervals[order]
    candidates = np.flatnonzero(shown)
    ordered = candidates[np.argsort(-needs.estimate(order)[candidates], kind="stable")]
    top, rest = ordered[:limit], ordered[limit:]
    if len(top) < limit:
        return shown
    rivals = max(float(high[rest].max(initial=-math.inf)), _unseen_max(needs, order, unseen_units_max))
    if limit and not low[top].min() > rivals:
        return None
    result = np.zeros_like(shown)
    result[top] = True
    return result


def _unseen_max(needs: Needs, order: Formula, units: int) -> float:
    """The most that `order` can be for a group in no more than `units` units."""
    fraction = fraction_of(order)
    if fraction is None or not fraction.is_linear:
        return math.inf
    scale = fraction.denominator[None]
    most = fraction.numerator.get(None, 0.0) / scale
    for piece, weight in fraction.numerator.items():
        if piece is not None:
            ends = weight / scale * needs.plan.low[piece], weight / scale * needs.plan.high[piece]
            most += units * float(max(*ends))
    return most
