"""A model in the ON of an outer, semi or anti join moves to where it may stand.

DuckDB looks up results by correlated subqueries, which such an ON does not allow. ``a LEFT JOIN b ON m(a.x, b.x)``
reads as ``a LEFT JOIN LATERAL (SELECT * FROM b WHERE m(a.x, b.x)) b ON true``, a SEMI JOIN as EXISTS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.errors import UsageError
from suffice.sql.plan import SCALAR_PREFIX, number_of

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
        elif join.side == "LEFT":
            _as_lateral(join, on)
        elif join.side or join.method:
            raise UsageError(
                f"a model in the ON of a {join.side or join.method} JOIN: compute it in a subquery of that side first"
            )
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
