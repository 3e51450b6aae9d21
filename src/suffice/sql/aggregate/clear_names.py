"""Names given in SELECT that are also columns of what is read: which one is meant differs from clause to clause."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from suffice.sql.aggregate.not_sampled import NotSampledError

_CLAUSES = ("group", "having", "where", "order")


def require_clear_names(statement: exp.Select, columns: Collection[str]) -> None:
    """Raise :class:`NotSampledError` where a clause names one of `columns` (lower case) that SELECT gives another
    meaning."""
    for item in statement.expressions:
        if not isinstance(item, exp.Alias) or item.alias.lower() not in columns:
            continue
        if isinstance(item.this, exp.Column) and item.this.name.lower() == item.alias.lower():
            continue
        if any(_names(statement.args[c], item.alias) for c in _CLAUSES if statement.args.get(c)):
            raise NotSampledError(f"{item.alias!r} is both a column and a name given in SELECT")


def _names(clause: exp.Expr, name: str) -> bool:
    return any(not c.table and c.name.lower() == name.lower() for c in clause.find_all(exp.Column))
