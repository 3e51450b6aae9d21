"""Which media relation a LIMIT may walk in order, so that models stop when there are rows enough.

Only where a prefix of that relation gives a prefix of the answer: no grouping, no DISTINCT, no window, the relation
first in FROM, and ORDER BY absent or made of its own columns. ``ORDER BY score(…) LIMIT k`` needs every score.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.sql.plan import MEDIA_PREFIX, number_of
from suffice.sql.rewrite.needs import relations_of

if TYPE_CHECKING:
    from sqlglot import exp

    from suffice.sql.sparse import SparsePlan

_BLOCKING = ("group", "having", "distinct", "qualify", "windows", "sample")


@dataclass(frozen=True)
class Walk:
    """How to walk: the placeholder of the media relation, its order as SQL (or none), and the rows wanted."""

    media: str
    order_sql: str
    rows: int


def early_limit(plan: SparsePlan) -> Walk | None:
    """The walk that answers the query early, or None when all of it is needed."""
    from sqlglot import exp

    top = plan.tree
    if not isinstance(top, exp.Select) or plan.bound.tree.args.get("limit") is None:
        return None
    if any(top.args.get(key) for key in _BLOCKING) or any(_collects(p) for p in top.expressions):
        return None
    relations = relations_of(top)
    rows = _rows_wanted(top)
    if not relations or rows is None or any(r.join and r.join.side in ("RIGHT", "FULL") for r in relations):
        return None
    driver = relations[0]
    name = driver.node.name.lower()
    if not isinstance(driver.node, exp.Table) or number_of(name, MEDIA_PREFIX) is None:
        return None
    if sum(table.name.lower() == name for table in plan.bound.tree.find_all(exp.Table)) != 1:
        return None
    order = _order_of(top, driver.alias)
    return None if order is None else Walk(name, order, rows)


def _collects(projection: exp.Expr) -> bool:
    from sqlglot import exp

    return projection.find(exp.AggFunc, exp.Window, exp.Unnest, exp.Explode) is not None


def _rows_wanted(top: exp.Select) -> int | None:
    """LIMIT plus OFFSET, when both are plain numbers."""
    total = 0
    for key in ("limit", "offset"):
        clause = top.args.get(key)
        if clause is None:
            continue
        number = clause.expression
        if number is None or not number.is_int or clause.args.get("expressions"):
            return None
        total += int(number.name)
    return total


def _order_of(top: exp.Select, alias: str) -> str | None:
    """ORDER BY over the driver's own columns as SQL, empty without ORDER BY; None when it needs more."""
    from sqlglot import exp

    order = top.args.get("order")
    if order is None:
        return ""
    projections = {p.alias_or_name.lower(): p.unalias() for p in top.expressions}
    terms = []
    for term in order.expressions:
        if not isinstance(term, exp.Ordered):
            return None
        column = term.this
        if isinstance(column, exp.Column) and not column.table:
            column = projections.get(column.name.lower(), column)
        if not isinstance(column, exp.Column) or column.table.lower() != alias:
            return None
        copied = term.copy()
        copied.set("this", exp.column(column.name))
        terms.append(copied.sql("duckdb"))
    return ", ".join(terms)
