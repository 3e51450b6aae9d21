"""MEDIAN, QUANTILE, MIN and MAX of the rows of all units, as numbers that have a bound from a sample.

A quantile is at least t when few enough rows lie below t, which is a statement about totals of counts; thresholds t
are fixed beforehand. A maximum lies between the largest value seen and the end of the declared range.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from suffice.sql.units.formula import Extreme, Linear, Piece, Quantile, shown
from suffice.sql.units.no_bound import NoBoundError

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.sql.units.formula import Formulas


def order_statistic(node: exp.Expr, formulas: Formulas) -> Quantile | Extreme | None:
    """The quantile or extreme that `node` is; None for anything else.

    Raises:
        NoBoundError: it is one, and no range or number of rows is declared.
    """
    from sqlglot import exp

    inner = node.this if isinstance(node, exp.Filter) else node
    condition = node.expression.this if isinstance(node, exp.Filter) else None
    if isinstance(inner, exp.Max | exp.Min) and not inner.expressions:
        return _extreme(node, inner, condition, formulas)
    asked = _asked(inner)
    if asked is None:
        return None
    if not math.isfinite(formulas.rows_max):
        raise NoBoundError(f"{shown(node)}: the model does not say how many rows a unit has at most")
    return _quantile(node, *asked, condition, formulas)


def _asked(node: exp.Expr) -> tuple[exp.Expr, float] | None:
    """(value, share) of a quantile with one constant share."""
    from sqlglot import exp

    if isinstance(node, exp.Median):
        return node.this, 0.5
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont | exp.PercentileDisc):
        (term,) = node.expression.expressions
        value, share = term.this, node.this.this
        return None if term.args.get("desc") else _with_share(value, share)
    if isinstance(node, exp.PercentileCont | exp.PercentileDisc):
        return _with_share(node.this, node.expression)
    return _with_share(node.this, node.args.get("quantile")) if isinstance(node, exp.Quantile) else None


def _with_share(value: exp.Expr, share: exp.Expr | None) -> tuple[exp.Expr, float] | None:
    from sqlglot import exp

    is_plain = isinstance(share, exp.Literal) and not share.is_string and 0 < float(share.this) < 1
    return (value, float(share.this)) if is_plain and share is not None else None


def _quantile(
    node: exp.Expr, value: exp.Expr, share: float, condition: exp.Expr | None, formulas: Formulas
) -> Quantile:
    from sqlglot import exp

    thresholds = formulas.grids.get(node.sql("duckdb"), ())

    def count(comparison: type[exp.Binary] | None, threshold: float = 0.0) -> Linear:
        wanted: exp.Expr = exp.Not(this=exp.Is(this=value.copy(), expression=exp.Null()))
        if comparison is not None:
            wanted = comparison(this=exp.paren(value.copy()), expression=exp.maybe_parse(repr(threshold)))
        where = wanted if condition is None else exp.and_(exp.paren(wanted), exp.paren(condition.copy()))
        return formulas.add(
            exp.Filter(this=exp.Count(this=exp.Star()), expression=exp.Where(this=where)),
            (0.0, formulas.rows_max),
            True,
        )

    formulas.quantiles.append(node.copy())
    return Quantile(
        share,
        count(None),
        tuple(count(exp.LT, t) for t in thresholds),
        tuple(count(exp.LTE, t) for t in thresholds),
        thresholds,
        formulas.ranges.of(value, formulas.scope),
        formulas.rows_max,
    )


def _extreme(node: exp.Expr, inner: exp.Expr, condition: exp.Expr | None, formulas: Formulas) -> Extreme:
    from sqlglot import exp

    ends, is_max = formulas.ranges.of(inner.this, formulas.scope), isinstance(inner, exp.Max)
    if not all(map(math.isfinite, ends)) or not math.isfinite(formulas.rows_max):
        raise NoBoundError(f"{shown(node)}: one row not looked at can hold it, and no range is declared")
    nothing = ends[0] if is_max else ends[1]
    # A unit without a row counts as 0 there, so 0 is in the range; who has rows is told by the count beside it.
    sql, fold = f"coalesce({node.sql('duckdb')}, {nothing!r})::DOUBLE", "max" if is_max else "min"
    piece = Piece(sql, min(ends[0], 0.0), max(ends[1], 0.0), False, fold)  # type: ignore[arg-type]
    if piece not in formulas.pieces:
        formulas.pieces.append(piece)
    number = exp.Count(this=inner.this.copy())
    rows: exp.Expr = number if condition is None else exp.Filter(this=number, expression=node.expression.copy())
    return Extreme(
        formulas.pieces.index(piece), formulas.add(rows, (0.0, formulas.rows_max), True), is_max, ends
    )  # fmt: skip
