"""The typed allow-list: expressions whose value depends on the row alone, and so is the same in a sample.

Anything not listed (window functions, volatile functions, functions we have not met) makes the query exact.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.repeatable import is_repeatable

_ALLOWED: tuple[type[exp.Expr], ...] = (
    # names, constants, types
    exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.DataType, exp.DataTypeParam, exp.Var,
    exp.Interval, exp.IntervalSpan, exp.Cast, exp.TryCast, exp.Paren, exp.Tuple, exp.Alias, exp.Dot,
    # arithmetic, comparison, logic
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sign,
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Between, exp.In, exp.Is,
    exp.And, exp.Or, exp.Not, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least,
    exp.Sqrt, exp.Pow, exp.Exp, exp.Ln, exp.Log,
    # text
    exp.Like, exp.ILike, exp.Escape, exp.StartsWith, exp.Contains, exp.Lower, exp.Upper, exp.Trim, exp.Length,
    exp.Substring, exp.Left, exp.Right, exp.Concat, exp.DPipe,
    # dates
    exp.Extract, exp.Year, exp.Month, exp.Day, exp.Quarter, exp.DateTrunc, exp.TimestampTrunc, exp.DateAdd, exp.DateSub,
    exp.DateDiff, exp.TsOrDsToDate, exp.Date,
)  # fmt: skip

AGGREGATES: tuple[type[exp.Expr], ...] = (
    exp.Sum, exp.Count, exp.Avg, exp.CountIf, exp.Variance, exp.VariancePop, exp.Stddev, exp.StddevSamp, exp.StddevPop,
    exp.CovarPop, exp.CovarSamp, exp.Corr,
)  # fmt: skip
"""Aggregates that are functions of sums over rows."""


_SUBQUERIES = (exp.Subquery, exp.Exists)
_UNSTEADY = (exp.Limit, exp.Fetch, exp.TableSample, exp.Window)
_STEADY_AGGREGATES = (*AGGREGATES, exp.Min, exp.Max)


def require_row_expression(expression: exp.Expr, clause: str) -> None:
    """Raise :class:`NotSampledError` unless `expression` (in `clause`, for the message) depends on its row alone."""
    _require_allowed(expression.walk(), clause)


def require_row_condition(condition: exp.Expr) -> None:
    """The same for WHERE, where a subquery that reads whole tables says the same of a row in any sample."""
    nodes = list(condition.walk(prune=lambda node: isinstance(node, _SUBQUERIES)))
    for subquery in (node for node in nodes if isinstance(node, _SUBQUERIES)):
        if subquery.find(*_UNSTEADY) or not is_repeatable(subquery):
            raise NotSampledError("a subquery that may say something else each time")
        if any(not isinstance(found, _STEADY_AGGREGATES) for found in subquery.find_all(exp.AggFunc)):
            raise NotSampledError("a subquery whose aggregate depends on the order of rows")
    _require_allowed((node for node in nodes if not isinstance(node, _SUBQUERIES)), "WHERE")


def _require_allowed(nodes: Iterable[exp.Expr], clause: str) -> None:
    for node in nodes:
        if isinstance(node, _ALLOWED):
            continue
        if isinstance(node, (exp.Subquery, exp.Select, exp.Exists)):
            raise NotSampledError(f"a subquery in {clause}")
        name = node.name if isinstance(node, exp.Anonymous) else type(node).__name__
        raise NotSampledError(f"{name.upper()} in {clause} is not on the list of repeatable row functions")
