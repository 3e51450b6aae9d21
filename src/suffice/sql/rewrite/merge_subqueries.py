"""``SELECT … FROM (SELECT … FROM a, b WHERE p) v WHERE q`` reads as one SELECT over a and b WHERE p AND q.

With views and derived tables merged, every predicate of a query stands beside every model call it can spare.
Only plain select-from-where bodies merge: what groups, limits, samples, windows or unites stays a relation of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_OPAQUE = (
    "distinct",
    "group",
    "having",
    "qualify",
    "limit",
    "offset",
    "sample",
    "windows",
    "with_",
    "with",
    "laterals",
)


def merge_subqueries(tree: exp.Expr) -> exp.Expr:
    """Merge what can be merged, innermost first. `tree` has its columns qualified."""
    from sqlglot import exp

    names = (f"m{i}_" for i in range(1, 1 << 30))
    for select in reversed(list(tree.find_all(exp.Select))):
        for relation in _relations(select):
            if isinstance(relation, exp.Subquery) and _can_merge(select, relation):
                _merge(select, relation, next(names))
    return tree


def _relations(select: exp.Select) -> list[exp.Expr]:
    source = select.args.get("from_")
    return ([source.this] if source else []) + [join.this for join in select.args.get("joins") or []]


def _can_merge(select: exp.Select, relation: exp.Subquery) -> bool:
    from sqlglot import exp

    body = relation.this
    if not isinstance(body, exp.Select) or any(body.args.get(key) for key in _OPAQUE) or relation.args.get("sample"):
        return False
    if any(join.side in ("RIGHT", "FULL") for join in select.args.get("joins") or []):
        return False
    join = relation.parent
    if isinstance(join, exp.Join) and (join.side or join.kind in ("SEMI", "ANTI") or join.method):
        return False
    if any(j.side in ("RIGHT", "FULL") or j.kind in ("SEMI", "ANTI") for j in body.args.get("joins") or []):
        return False
    if not body.args.get("from_") or (relation.args.get("alias") and relation.args["alias"].columns):
        return False
    return all(_is_row_level(projection) for projection in body.expressions)


def _is_row_level(projection: exp.Expr) -> bool:
    from sqlglot import exp

    if projection.is_star:
        return False
    return not any(projection.find_all(exp.AggFunc, exp.Window, exp.Explode, exp.Unnest))


def _merge(select: exp.Select, relation: exp.Subquery, prefix: str) -> None:
    from sqlglot import exp

    body: exp.Select = relation.this
    _rename(body, prefix)
    projections = {projection.alias_or_name.lower(): projection.unalias() for projection in body.expressions}
    name = relation.alias.lower()
    for column in [c for c in select.find_all(exp.Column) if c.table.lower() == name and c.name.lower() in projections]:
        if not _inside(column, relation) and not _shadowed(column, select):
            column.replace(_wrapped(projections[column.name.lower()]))
    source, inner_joins = body.args["from_"].this, body.args.get("joins") or []
    conditions = [body.args["where"].this] if body.args.get("where") else []
    holder = relation.parent
    joins = list(select.args.get("joins") or [])
    if isinstance(holder, exp.Join):
        if holder.args.get("on"):
            conditions.append(holder.args["on"])
        position = joins.index(holder)
        joins[position : position + 1] = [exp.Join(this=source, kind="CROSS"), *inner_joins]
    else:
        relation.replace(source)
        joins = [*inner_joins, *joins]
    select.set("joins", joins)
    if conditions:
        select.where(*conditions, copy=False)


def _rename(body: exp.Select, prefix: str) -> None:
    """Give the body's own relations names that nothing outside can have."""
    from sqlglot import exp

    renamed = {relation.alias_or_name.lower(): prefix + relation.alias_or_name for relation in _relations(body)}
    for column in body.find_all(exp.Column):
        if column.table.lower() in renamed and not _shadowed(column, body):
            column.set("table", exp.to_identifier(renamed[column.table.lower()]))
    for relation in _relations(body):
        alias = relation.args.get("alias")
        new = exp.to_identifier(renamed[relation.alias_or_name.lower()])
        if alias:
            alias.set("this", new)
        else:
            relation.set("alias", exp.TableAlias(this=new))


def _shadowed(column: exp.Column, body: exp.Select) -> bool:
    """Whether a SELECT between the column and `body` has a relation of the same name."""
    from sqlglot import exp

    scope = column.find_ancestor(exp.Select)
    while scope is not None and scope is not body:
        if column.table.lower() in {relation.alias_or_name.lower() for relation in _relations(scope)}:
            return True
        scope = scope.find_ancestor(exp.Select)
    return False


def _inside(node: exp.Expr, ancestor: exp.Expr) -> bool:
    parent: exp.Expr | None = node
    while parent is not None and parent is not ancestor:
        parent = parent.parent
    return parent is ancestor


def _wrapped(value: exp.Expr) -> exp.Expr:
    from sqlglot import exp

    copied = value.copy()
    return copied if isinstance(copied, exp.Column | exp.Literal | exp.Anonymous) else exp.Paren(this=copied)
