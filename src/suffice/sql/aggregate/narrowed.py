"""Column ranges that a condition narrows: a row that counts satisfies it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sqlglot import exp

from suffice.sql.aggregate.value_range import ColumnRange, Range, value_range

_MIRRORED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.GT: exp.LT, exp.GTE: exp.LTE, exp.LT: exp.GT, exp.LTE: exp.GTE, exp.EQ: exp.EQ
}  # fmt: skip


def narrowed(column_range: ColumnRange, *conditions: exp.Expr | None) -> ColumnRange:
    """`column_range` over the rows for which all `conditions` hold; only plain comparisons with numbers are used."""
    limits: dict[str, Range] = {}
    for condition in conditions:
        for column, low, high in _limits(condition) if condition is not None else ():
            known = limits.get(_name(column), (-math.inf, math.inf))
            limits[_name(column)] = max(known[0], low), min(known[1], high)

    def of(column: exp.Column) -> Range | None:
        known, limit = column_range(column), limits.get(_name(column))
        if known is None or limit is None:
            return known
        ends = max(known[0], limit[0]), min(known[1], limit[1])
        return ends if ends[0] <= ends[1] else known  # no row at all: any range is true

    return of


def _name(column: exp.Column) -> str:
    return f"{column.table}.{column.name}".lower()


def _limits(condition: exp.Expr) -> Iterator[tuple[exp.Column, float, float]]:
    condition = condition.unnest()
    if isinstance(condition, exp.And):
        yield from _limits(condition.this)
        yield from _limits(condition.expression)
    elif isinstance(condition, exp.Between) and isinstance(condition.this, exp.Column):
        low, high = (_constant(condition.args[end]) for end in ("low", "high"))
        if low is not None and high is not None:
            yield condition.this, low, high
    elif type(condition) in _MIRRORED:
        yield from _compared(type(condition), condition.this, condition.expression)


def _compared(operator: type[exp.Expr], left: exp.Expr, right: exp.Expr) -> Iterator[tuple[exp.Column, float, float]]:
    if not isinstance(left, exp.Column):
        left, right, operator = right, left, _MIRRORED[operator]
    number = _constant(right)
    if not isinstance(left, exp.Column) or number is None:
        return
    low = -math.inf if operator in (exp.LT, exp.LTE) else number
    yield left, low, math.inf if operator in (exp.GT, exp.GTE) else number


def _constant(node: exp.Expr) -> float | None:
    """The value of a numeric expression without columns, when its range is one point."""
    found = value_range(node, lambda column: None)
    return found[0] if found is not None and found[0] == found[1] and not node.find(exp.Column) else None
