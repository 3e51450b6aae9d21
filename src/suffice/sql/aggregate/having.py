"""HAVING as comparisons of formulas with zero, so that each group is in, out, or not yet decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.not_sampled import NotSampledError

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE)


def having_differences(query: Decomposed) -> list[Formula]:
    """For each comparison in HAVING, left side minus right side, in order of appearance."""
    having = query.final.args.get("having")
    if having is None:
        return []
    differences: list[Formula] = []
    _walk(having.this, query, differences)
    return differences


def _walk(node: exp.Expr, query: Decomposed, found: list[Formula]) -> None:
    if isinstance(node, (exp.And, exp.Or)):
        _walk(node.this, query, found)
        _walk(node.expression, query, found)
    elif isinstance(node, (exp.Not, exp.Paren)):
        _walk(node.this, query, found)
    elif isinstance(node, _COMPARISONS):
        found.append(query.formula_of(node.this, "HAVING") - query.formula_of(node.expression, "HAVING"))
    else:
        raise NotSampledError(f"{type(node).__name__.upper()} in HAVING cannot be decided from a sample")


def having_verdict(
    query: Decomposed, lows: Sequence[Floats], highs: Sequence[Floats], groups: int
) -> tuple[Bools, Bools]:
    """(surely in, possibly in) per group, from intervals of :func:`having_differences`."""
    having = query.final.args.get("having")
    if having is None:
        return np.ones(groups, bool), np.ones(groups, bool)
    pairs = iter(list(zip(lows, highs, strict=True)))

    def of(node: exp.Expr) -> tuple[Bools, Bools]:
        if isinstance(node, exp.Paren):
            return of(node.this)
        if isinstance(node, exp.Not):
            sure, possible = of(node.this)
            return ~possible, ~sure
        if isinstance(node, (exp.And, exp.Or)):
            a, b = of(node.this), of(node.expression)
            return (a[0] & b[0], a[1] & b[1]) if isinstance(node, exp.And) else (a[0] | b[0], a[1] | b[1])
        low, high = next(pairs)
        return _compare(type(node), low, high)

    return of(having.this)


def _compare(operator: type[exp.Expr], low: Floats, high: Floats) -> tuple[Bools, Bools]:
    if operator is exp.GT:
        return low > 0, high > 0
    if operator is exp.GTE:
        return low >= 0, high >= 0
    if operator is exp.LT:
        return high < 0, low < 0
    return high <= 0, low <= 0
