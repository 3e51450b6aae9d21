"""A model in the ON of an outer, semi, anti or ASOF join moves to where it may stand.

DuckDB looks up results by correlated subqueries, which such an ON does not allow. ``a LEFT JOIN b ON m(a.x, b.x)``
reads as ``a LEFT JOIN LATERAL (SELECT * FROM b WHERE m(a.x, b.x)) b ON true``, a SEMI JOIN as EXISTS. In a RIGHT, FULL
or ASOF join a call that reads one side becomes a column of that side; one that reads both sides makes the join one
over a list of pairs of row numbers (:mod:`~suffice.sql.rewrite.paired_join`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.sql.plan import SCALAR_PREFIX, number_of
from suffice.sql.rewrite.on_as_column import calls_in, read_by, side_column, sides_of
from suffice.sql.rewrite.paired_join import as_pairs

if TYPE_CHECKING:
    from sqlglot import exp


def free_outer_on(tree: exp.Expr) -> exp.Expr:
    """Rewrite every join whose ON calls a model and which is not a plain inner join."""
    from sqlglot import exp

    for join in list(tree.find_all(exp.Join)):
        on = join.args.get("on")
        if on is None or not any(number_of(c.name, SCALAR_PREFIX) for c in on.find_all(exp.Anonymous)):
            continue
        if join.kind in ("SEMI", "ANTI"):
            _as_exists(join, on)
        elif join.side == "LEFT" and not join.method:
            _as_lateral(join, on)
        elif join.side or join.method:
            _as_columns_or_pairs(join)
    return tree


def _as_exists(join: exp.Join, on: exp.Expr) -> None:
    from sqlglot import exp

    scope = join.parent
    assert isinstance(scope, exp.Select)
    inner = exp.Select(expressions=[exp.Literal.number(1)]).from_(join.this.copy()).where(on.copy())
    test: exp.Expr = exp.Exists(this=inner)
    negated = join.kind == "ANTI"
    join.pop()
    scope.where(exp.Not(this=test) if negated else test, copy=False)


def _as_lateral(join: exp.Join, on: exp.Expr) -> None:
    from sqlglot import exp

    relation = join.this
    alias = relation.alias_or_name
    inner = exp.Select(expressions=[exp.Star()]).from_(relation.copy()).where(on.copy())
    named = exp.TableAlias(this=exp.to_identifier(alias))
    join.set("this", exp.Lateral(this=exp.Subquery(this=inner), alias=named))
    join.set("on", exp.Boolean(this=True))


def _as_columns_or_pairs(join: exp.Join) -> None:
    sides = sides_of(join)
    while calls := [call for call in calls_in(join.args["on"]) if len(read_by(call, sides)) == 1]:
        side_column(join, calls[0], sides)
        sides = sides_of(join)
    if calls_in(join.args["on"]):
        as_pairs(join, sides)
