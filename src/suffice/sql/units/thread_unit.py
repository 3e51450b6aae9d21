"""Carry a unit's key from the relation it belongs to up to the outermost SELECT.

A statement can be answered from a sample of units only if its rows can be told apart by unit: the answer over some
units is then made of what each of them contributes. Subqueries keep that as long as they do not mix units: a plain
one passes the key on, a grouped one does when its keys say which unit a row is of, a LIMIT or a window over all rows
does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from suffice.sql.rewrite.needs import relations_of
from suffice.sql.units.no_bound import NoBoundError

if TYPE_CHECKING:
    from sqlglot import exp

UNIT = "__unit"

IsKey = Callable[[Sequence[str]], bool]
"""Whether these columns of the sampled relation say which unit a row is of."""


def thread_unit(tree: exp.Select, relation: str, key: str, is_key: IsKey) -> exp.Column:
    """Add the key to the projections of every SELECT between the relation and `tree`; the key as `tree` sees it.

    Raises:
        NoBoundError: units are mixed on the way.
    """
    from sqlglot import exp

    tables = [table for table in tree.find_all(exp.Table) if table.name.lower() == relation]
    if len(tables) != 1:
        raise NoBoundError("the sampled relation is read more than once")
    node: exp.Expr = tables[0]
    scope, unit = _scope_of(node), exp.column(key, table=tables[0].alias_or_name)
    while scope is not tree:
        _expose(scope, unit, relation, is_key)
        holder = scope.parent
        if not isinstance(holder, exp.Subquery) or (holder.args.get("alias") and holder.args["alias"].columns):
            raise NoBoundError("the sampled relation stands inside an expression")
        scope, unit = _scope_of(holder), exp.column(UNIT, table=holder.alias_or_name)
    return unit


def _scope_of(node: exp.Expr) -> exp.Select:
    """The SELECT in whose FROM `node` stands, checked to keep rows of units apart."""
    from sqlglot import exp

    scope = node.find_ancestor(exp.Select)
    found = next((r for r in relations_of(scope) if r.node is node), None) if scope is not None else None
    if scope is None or found is None:
        raise NoBoundError("the sampled relation stands inside an expression")
    joins = [r.join for r in relations_of(scope) if r.join is not None]
    if any(join.side in ("RIGHT", "FULL") or join.method for join in joins):
        raise NoBoundError("a RIGHT, FULL or ASOF join mixes units")
    if found.join is not None and (found.join.side or found.join.kind in ("SEMI", "ANTI")):
        raise NoBoundError("the sampled relation is the optional side of a join")
    return scope


def _expose(scope: exp.Select, unit: exp.Column, relation: str, is_key: IsKey) -> None:
    from sqlglot import exp

    if any(scope.args.get(key) for key in ("limit", "offset", "sample")):
        raise NoBoundError("a LIMIT or SAMPLE inside the statement mixes units")
    for window in scope.find_all(exp.Window):
        if window.find_ancestor(exp.Select) is scope:
            _need_key(
                window.args.get("partition_by") or [], scope, relation, is_key, "a window over rows of many units"
            )
    collects = any(_own_aggregate(p) for p in scope.expressions)
    group = scope.args.get("group")
    if scope.args.get("distinct"):
        if scope.args["distinct"].args.get("on"):
            raise NoBoundError("DISTINCT ON mixes units")
        _need_key([p.unalias() for p in scope.expressions], scope, relation, is_key, "DISTINCT over many units")
    if group is not None or collects:
        keys = group_keys(scope)
        _need_key(keys, scope, relation, is_key, "an aggregate over many units, inside the statement,")
        value: exp.Expr = exp.Anonymous(this="any_value", expressions=[unit.copy()])
    else:
        value = unit.copy()
    scope.append("expressions", exp.alias_(value, UNIT))


def _own_aggregate(node: exp.Expr) -> bool:
    from sqlglot import exp

    scope = node.find_ancestor(exp.Select)
    return any(
        found.find_ancestor(exp.Select) is scope and not isinstance(found.parent, exp.Window)
        for found in node.find_all(exp.AggFunc)
    )


def group_keys(scope: exp.Select) -> list[exp.Expr]:
    """The expressions a SELECT groups by; none when it makes one group of all.

    Raises:
        NoBoundError: grouping sets.
    """
    from sqlglot import exp

    group = scope.args.get("group")
    if group is None:
        return []
    if group.find(exp.Rollup, exp.Cube, exp.GroupingSets):
        raise NoBoundError("grouping sets")
    if group.args.get("all"):
        return [p.unalias() for p in scope.expressions if not _own_aggregate(p)]
    aliases = {p.alias_or_name.lower(): p.unalias() for p in scope.expressions}
    return [_resolved(key, scope, aliases) for key in group.expressions]


def _resolved(key: exp.Expr, scope: exp.Select, aliases: dict[str, exp.Expr]) -> exp.Expr:
    """What a key that is a position or the name of a column of the answer stands for."""
    from sqlglot import exp

    if isinstance(key, exp.Literal) and key.is_int:
        found: exp.Expr = scope.expressions[int(key.name) - 1].unalias()
        return found
    if isinstance(key, exp.Column) and not key.table and key.name.lower() in aliases:
        return aliases[key.name.lower()]
    return key


def _need_key(keys: Sequence[exp.Expr], scope: exp.Select, relation: str, is_key: IsKey, what: str) -> None:
    from sqlglot import exp

    columns = (resolve(key, scope, relation) for key in keys if isinstance(key, exp.Column))
    names = [name for name in columns if name is not None]
    if not names or not is_key(names):
        raise NoBoundError(f"{what} has no bound from a sample")


def resolve(column: exp.Column, scope: exp.Select, relation: str) -> str | None:
    """The column of the sampled relation that `column` is, through subqueries; None when it is none of them."""
    from sqlglot import exp

    for found in relations_of(scope):
        if found.alias != column.table.lower():
            continue
        if isinstance(found.node, exp.Table):
            return column.name.lower() if found.node.name.lower() == relation else None
        body = found.node.this if isinstance(found.node, exp.Subquery) else None
        if isinstance(body, exp.Select):
            inner = {p.alias_or_name.lower(): p.unalias() for p in body.expressions}.get(column.name.lower())
            return resolve(inner, body, relation) if isinstance(inner, exp.Column) else None
    return None
