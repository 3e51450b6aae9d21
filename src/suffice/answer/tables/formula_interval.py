"""Intervals of formulas from intervals that hold at once: of fractions as they are, of all else by interval arithmetic
(Moore, "Interval Analysis", 1966)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import Fraction, fraction_of

Floats = npt.NDArray[np.float64]
Ends = tuple[Floats, Floats]


def formula_interval(formula: Formula, fractions: Sequence[Fraction], low: Floats, high: Floats) -> Ends:
    """(low, high) [groups] of `formula`; `low` and `high` [fractions, groups] are those of `fractions`."""

    def of(each: Formula) -> Ends:
        own = fraction_of(each)
        if own is not None and own in fractions:
            position = fractions.index(own)
            return low[position], high[position]
        if each.operator is None:
            constant = np.full(low.shape[1], each.constant)
            return constant, constant
        parts = [of(operand) for operand in each.operands]
        return _sqrt(parts[0]) if each.operator == "sqrt" else _APPLY[each.operator](parts[0], parts[1])

    with np.errstate(all="ignore"):
        ends = of(formula)
    return np.nan_to_num(ends[0], nan=-np.inf), np.nan_to_num(ends[1], nan=np.inf, posinf=np.inf)


def _add(a: Ends, b: Ends) -> Ends:
    return a[0] + b[0], a[1] + b[1]


def _subtract(a: Ends, b: Ends) -> Ends:
    return a[0] - b[1], a[1] - b[0]


def _multiply(a: Ends, b: Ends) -> Ends:
    corners = np.stack([np.where((x == 0) | (y == 0), 0.0, x * y) for x in a for y in b])
    return corners.min(axis=0), corners.max(axis=0)


def _divide(a: Ends, b: Ends) -> Ends:
    safe = (b[0] > 0) | (b[1] < 0)
    corners = np.stack([x / y for x in a for y in b])
    return np.where(safe, corners.min(axis=0), -np.inf), np.where(safe, corners.max(axis=0), np.inf)


def _sqrt(a: Ends) -> Ends:
    return np.sqrt(np.maximum(a[0], 0.0)), np.sqrt(np.maximum(a[1], 0.0))


_APPLY: dict[str, Callable[[Ends, Ends], Ends]] = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide}
