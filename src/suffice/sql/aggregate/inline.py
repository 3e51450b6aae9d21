"""FROM (SELECT …), CTEs and views that only compute columns, written out: what remains reads base tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlglot import exp

from suffice.sql.aggregate.allowed import require_row_expression
from suffice.sql.aggregate.clear_names import require_clear_names
from suffice.sql.aggregate.not_sampled import NotSampledError

ViewDefinition = Callable[[exp.Table], exp.Select | None]
"""The SELECT a view stands for, or None for what is not a view."""

Names = Callable[[exp.Select], Sequence[str]]
"""The columns of a SELECT, as the database names them."""

_DEPTH_MAX = 16
_NAMED = {"this", "db", "catalog", "alias"}
_KEPT = {"expressions", "from_", "joins", "where", "operation_modifiers"}


def inline(statement: exp.Select, view: ViewDefinition, names: Names) -> exp.Select:
    """`statement` with a sole derived table in FROM merged into it, repeatedly; others are left as they are."""
    for _ in range(_DEPTH_MAX):
        inner = _derived(statement, view)
        if inner is None:
            return statement
        statement = _merge(statement, *inner, names)
    raise NotSampledError(f"views nested more than {_DEPTH_MAX} deep")


def _derived(statement: exp.Select, view: ViewDefinition) -> tuple[exp.Select, str] | None:
    source = statement.args.get("from_")
    if source is None or statement.args.get("joins"):
        return None
    node = source.this
    if any(value for clause, value in node.args.items() if clause not in _NAMED):
        return None
    if node.args.get("alias") and node.args["alias"].columns:
        return None
    if isinstance(node, exp.Subquery) and isinstance(node.this, exp.Select):
        return node.this, node.alias_or_name
    if not isinstance(node, exp.Table):
        return None
    ctes = {c.alias.lower(): c.this for c in (statement.args.get("with_") or exp.With(expressions=[])).expressions}
    inner = ctes.get(node.name.lower()) if not node.db and len(ctes) == 1 else None
    inner = inner or (None if ctes else view(node))
    return (inner, node.alias_or_name) if isinstance(inner, exp.Select) else None


def _merge(outer: exp.Select, inner: exp.Select, alias: str, names: Names) -> exp.Select:
    if any(value for clause, value in inner.args.items() if clause not in _KEPT):
        raise NotSampledError("a derived table that groups, orders, limits or deduplicates")
    if not inner.args.get("from_"):
        raise NotSampledError("no table to sample")
    named = _named_items(inner, names)
    require_clear_names(outer, named)
    if any(outer.args.get(c) and _has_subquery(outer.args[c]) for c in ("expressions", "where", "having")):
        raise NotSampledError("a subquery beside a view or a derived table")
    has_star = any(isinstance(i, exp.Star) for i in inner.expressions)

    def replace(node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or (node.table and node.table.lower() != alias.lower()):
            return node
        if node.name.lower() in named:
            meant = named[node.name.lower()].copy()
            return meant if isinstance(meant, exp.Column) else exp.paren(meant)
        if has_star:
            return exp.column(node.this.copy())
        return node  # the name of a SELECT item

    merged = outer.copy()
    merged.set("with_", None)
    merged.set("expressions", [_named(i) for i in merged.expressions])
    for clause in ("expressions", "where", "group", "having", "order"):
        value = merged.args.get(clause)
        if value:
            merged.set(
                clause, [v.transform(replace) for v in value] if isinstance(value, list) else value.transform(replace)
            )
    merged.set("from_", inner.args["from_"].copy())
    merged.set("joins", [j.copy() for j in inner.args.get("joins") or []])
    return merged.where(inner.args["where"].this.copy()) if inner.args.get("where") else merged


def _named_items(inner: exp.Select, names: Names) -> dict[str, exp.Expr]:
    """By name in lower case, what is not a star."""
    stars = [item for item in inner.expressions if isinstance(item, exp.Star)]
    if any(value for star in stars for clause, value in star.args.items() if clause != "except_"):
        raise NotSampledError("* with other names or values than the columns have")
    items = [item for item in inner.expressions if item not in stars]
    for item in items:
        require_row_expression(item, "a derived table")
    known = names(inner) if stars and items else [item.alias_or_name for item in items]
    if len({name.lower() for name in known}) < len(known):
        raise NotSampledError("two columns of a derived table have one name")
    return {item.alias_or_name.lower(): item.unalias() for item in items}


def _has_subquery(value: exp.Expr | list[exp.Expr]) -> bool:
    return any(v.find(exp.Subquery, exp.Exists) for v in (value if isinstance(value, list) else [value]))


def _named(item: exp.Expr) -> exp.Expr:
    """A bare column keeps its name when what it stands for is written out."""
    return exp.alias_(item, item.name) if isinstance(item, exp.Column) else item
