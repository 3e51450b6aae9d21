"""Scalar subqueries that stand on their own, answered once and written in as constants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from suffice.sql.repeatable import is_repeatable

Scalar = Callable[[str], tuple[Any, str] | None]
"""SQL of a subquery to (its value as text or None, its DuckDB type); None where it does not run alone."""


def constant_subqueries(statement: exp.Select, scalar: Scalar) -> exp.Select:
    """`statement` with each ``(SELECT …)`` in WHERE and HAVING that is one value replaced by it."""
    for clause in ("where", "having"):
        condition = statement.args.get(clause)
        for subquery in list(condition.find_all(exp.Subquery)) if condition else []:
            if isinstance(subquery.parent, (exp.In, exp.Exists)) or subquery.find_ancestor(exp.Subquery):
                continue
            if not is_repeatable(subquery):  # the constant would be kept with the plan
                continue
            found = scalar(subquery.this.sql("duckdb"))
            if found is None:
                continue
            value, kind = found
            constant = exp.Null() if value is None else exp.Literal.string(value)
            subquery.replace(exp.cast(constant, kind, dialect="duckdb"))
    return statement
