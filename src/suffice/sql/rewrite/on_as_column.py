"""A call in an ON that reads one side becomes a column of that side.

``a RIGHT JOIN b ON m(a.x) = b.y`` reads as ``(SELECT *, m(a.x) AS __on_1 FROM a) a RIGHT JOIN b ON a.__on_1 = b.y``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from suffice.errors import UsageError
from suffice.sql.plan import ROWS_PREFIX, SCALAR_PREFIX, number_of

if TYPE_CHECKING:
    from sqlglot import exp

Sides = Mapping[str, "exp.Expr"]
"""Alias, lower case, to its relation: those of a FROM up to and with one join's own."""


def sides_of(join: exp.Join) -> Sides:
    """The relations that a join's ON may read."""
    from sqlglot import exp

    scope = join.parent
    if not isinstance(scope, exp.Select) or scope.args.get("from_") is None:
        raise _advice(join, "stands inside parentheses")
    joins = scope.args["joins"]
    relations = [scope.args["from_"].this, *(one.this for one in joins[: joins.index(join) + 1])]
    return {relation.alias_or_name.lower(): relation for relation in relations}


def calls_in(expression: exp.Expr) -> list[exp.Expr]:
    """The model calls in an expression, outermost first."""
    from sqlglot import exp

    return [call for call in expression.find_all(exp.Anonymous) if number_of(call.name, SCALAR_PREFIX) is not None]


def read_by(expression: exp.Expr, sides: Sides) -> set[str]:
    """The aliases whose columns `expression` reads; every column must say whose it is."""
    from sqlglot import exp

    for column in expression.find_all(exp.Column):
        if column.table.lower() not in sides:
            raise UsageError(
                f"{column.sql('duckdb')}: a column in the ON of an outer join with a model needs the name of its"
                f" relation before it ({', '.join(sides)})"
            )
    return {column.table.lower() for column in expression.find_all(exp.Column)}


def side_column(join: exp.Join, call: exp.Expr, sides: Sides) -> None:
    """Make a call that reads one relation a column of it, hidden from every ``*``."""
    from sqlglot import exp

    (alias,) = read_by(call, sides)
    relation = sides[alias]
    if is_lateral(relation):
        raise _advice(join, f"reads {alias}, which is made row by row")
    name = f"__on_{number_of(call.name, SCALAR_PREFIX)}"
    hide(join.parent, alias, [name])
    call.replace(exp.column(name, table=relation.alias_or_name))
    value = exp.alias_(call, name)
    body = exp.Select(expressions=[exp.Star(), value]).from_(bare(relation))
    named = exp.TableAlias(this=exp.to_identifier(relation.alias_or_name))
    relation.replace(exp.Subquery(this=body, alias=named, joins=relation.args.get("joins")))


def bare(relation: exp.Expr) -> exp.Expr:
    """A copy of a relation without what hangs on it."""
    copied = relation.copy()
    for key in ("joins", "laterals"):
        if copied.args.get(key):
            copied.set(key, None)
    return copied


def is_lateral(relation: exp.Expr) -> bool:
    """Whether a relation reads others beside it."""
    from sqlglot import exp

    calls = relation.find_all(exp.Anonymous)
    is_call = isinstance(relation, exp.Table) and any(number_of(c.name, ROWS_PREFIX) is not None for c in calls)
    return is_call or isinstance(relation, exp.Lateral | exp.Unnest)


def hide(scope: exp.Expr | None, alias: str, names: Sequence[str]) -> None:
    """Take columns of ours out of every ``*`` and ``alias.*`` of a SELECT."""
    from sqlglot import exp

    assert isinstance(scope, exp.Select)
    for projection in scope.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        owner = projection.table.lower() if isinstance(projection, exp.Column) else ""
        if isinstance(star, exp.Star) and owner in ("", alias):
            star.set("except_", [*(star.args.get("except_") or []), *(exp.column(name) for name in names)])


def _advice(join: exp.Join, why: str) -> UsageError:
    kind = join.side or join.method
    return UsageError(f"a model in the ON of a {kind} JOIN that {why}: compute it in a subquery of that side first")
