"""The least and greatest value of a row expression, from the ranges of its columns (Moore, "Interval Analysis")."""

from __future__ import annotations

import math
from collections.abc import Callable

from sqlglot import exp

Range = tuple[float, float]
ColumnRange = Callable[[exp.Column], Range | None]
"""The range of a column over the whole table as the catalogue knows it; None when it does not."""


def value_range(expression: exp.Expr, column_range: ColumnRange) -> Range | None:
    """(low, high) of the non-NULL values of `expression`; None when unknown. Sound, not tight."""

    def of(node: exp.Expr) -> Range | None:
        return value_range(node, column_range)

    match expression:
        case exp.Column():
            return column_range(expression)
        case exp.Literal():
            return None if expression.is_string else (float(expression.this), float(expression.this))
        case exp.Boolean():
            return (float(expression.this), float(expression.this))
        case exp.Null():
            return (0.0, 0.0)  # NULL rows do not count
        case exp.Paren():
            return of(expression.this)
        case exp.Cast() if expression.to.this in _FRACTIONAL:
            return of(expression.this)
        case exp.Cast() if expression.to.this in _WHOLE:
            return _map(of(expression.this), lambda r: (math.floor(r[0]), math.ceil(r[1])))
        case exp.Cast() if expression.to.this in _DECIMAL:
            half = 0.5 * 10.0 ** -_scale(expression.to)
            return _map(of(expression.this), lambda r: (r[0] - half, r[1] + half))
        case exp.Neg():
            return _map(of(expression.this), lambda r: (-r[1], -r[0]))
        case exp.Abs():
            return _map(of(expression.this), _absolute)
        case exp.Mul() if expression.this == expression.expression:
            return _map(of(expression.this), lambda r: (0.0 if r[0] <= 0 <= r[1] else min(r[0] ** 2, r[1] ** 2),
                                                        max(r[0] ** 2, r[1] ** 2)))  # fmt: skip
        case exp.Add() | exp.Sub() | exp.Mul() | exp.Div():
            return _binary(expression, of(expression.this), of(expression.expression))
        case exp.Coalesce():
            return _hull([of(expression.this), *map(of, expression.expressions)])
        case exp.Case():
            branches = [of(i.args["true"]) for i in expression.args["ifs"]]
            return _hull([*branches, of(expression.args["default"])] if expression.args.get("default") else branches)
        case exp.If():
            other = expression.args.get("false")
            return _hull([of(expression.args["true"]), *([of(other)] if other else [])])
        case exp.Predicate():
            return (0.0, 1.0)
    return None


_FRACTIONAL = (exp.DataType.Type.DOUBLE,)
_WHOLE = (exp.DataType.Type.INT, exp.DataType.Type.BIGINT, exp.DataType.Type.INT128)


_DECIMAL = (exp.DataType.Type.DECIMAL,)


def _scale(kind: exp.DataType) -> int:
    """Digits after the point; DuckDB's own choice where none are given (PostgreSQL then rounds nothing)."""
    given = [int(p.this.this) for p in kind.expressions if isinstance(p, exp.DataTypeParam)]
    return 3 if not given else given[1] if len(given) > 1 else 0


def _map(a: Range | None, change: Callable[[Range], Range]) -> Range | None:
    return None if a is None else change(a)


def _absolute(a: Range) -> Range:
    ends = abs(a[0]), abs(a[1])
    return (0.0 if a[0] <= 0 <= a[1] else min(ends)), max(ends)


def _hull(ranges: list[Range | None]) -> Range | None:
    known = [r for r in ranges if r is not None]
    if len(known) < len(ranges):
        return None
    return min(r[0] for r in known), max(r[1] for r in known)


def _binary(node: exp.Expr, a: Range | None, b: Range | None) -> Range | None:
    if a is None or b is None:
        return None
    match node:
        case exp.Add():
            ends = [a[0] + b[0], a[1] + b[1]]
        case exp.Sub():
            ends = [a[0] - b[1], a[1] - b[0]]
        case exp.Mul() if node.this == node.expression:
            ends = list(_square(a))
        case exp.Mul():
            ends = [x * y for x in a for y in b]
        case _ if b[0] > 0 or b[1] < 0:
            ends = [x / y for x in a for y in b]
            if node.args.get("typed"):  # division of integers drops the fraction
                ends += [float(math.trunc(x)) for x in ends]
        case _:
            return None
    low, high = min(ends), max(ends)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _square(a: Range) -> Range:
    low, high = _absolute(a)
    return low * low, high * high
