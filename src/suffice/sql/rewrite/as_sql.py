"""Placeholders to what they stand for: the SQL that DuckDB runs, once results are where the calls look for them.

In a *need*, where calls read as relations, a call is a join that also shows its arguments. In the *answer*, which
keeps the user's own shape, it must show only its outputs: a LATERAL subquery always does, but DuckDB runs it as a
join on a duplicate-free copy of the left side. Where nothing stands against it the call is therefore a plain join,
whose key is taken out of every ``*`` again. A whole blob is found by its number, anything else by its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from suffice.models.protocol import IMAGE
from suffice.sql.plan import BASE_PREFIX, MEDIA_PREFIX, ROWS_PREFIX, SCALAR_PREFIX, Bound, BoundCall, number_of
from suffice.sql.rewrite.needs import Relation, relations_of
from suffice.store.catalogue import MEDIA
from suffice.store.database import quote

if TYPE_CHECKING:
    from sqlglot import exp


def answer_sql(bound: Bound) -> str:
    """The statement itself, over the store."""
    from sqlglot import exp

    tree = bound.tree.copy()
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Anonymous) and (n := number_of(table.this.name, ROWS_PREFIX)) is not None:
            _rows(table, bound.calls[n], bound)
    return _finish(tree, bound).sql("duckdb", copy=False)


def need_sql(select: exp.Expr, bound: Bound, base_sql: Mapping[str, str]) -> str:
    """A need, over the store."""
    from sqlglot import exp

    tree = select.copy()
    for table in list(tree.find_all(exp.Table)):
        name = table.name.lower()
        if (n := number_of(name, ROWS_PREFIX)) is not None:
            _become(table, _relation_sql(bound.calls[n]))
        elif number_of(name, BASE_PREFIX) is not None:
            _become_base(table, base_sql[name])
    return _finish(tree, bound).sql("duckdb", copy=False)


def _finish(tree: exp.Expr, bound: Bound) -> exp.Expr:
    from sqlglot import exp

    for node in reversed(list(tree.find_all(exp.Anonymous))):  # innermost first: an argument may be a call
        if (n := number_of(node.name, SCALAR_PREFIX)) is not None:
            node.replace(_scalar(bound.calls[n], node.expressions, _number_beside(node, bound.calls[n], bound)))
    for table in tree.find_all(exp.Table):
        if number_of(table.name, MEDIA_PREFIX) is not None:
            _become_table(table, bound.media[table.name.lower()].table)
    return tree


def _become_table(table: exp.Table, name: str) -> None:
    from sqlglot import exp

    catalog, schema, bare = ([""] * 2 + name.split("."))[-3:]
    for key, part in (("this", bare), ("db", schema), ("catalog", catalog)):
        table.set(key, exp.to_identifier(part or None))


def _become(table: exp.Table, sql: str) -> None:
    """Put a parenthesised query where a placeholder stood, alias kept."""
    from sqlglot import exp

    body: exp.Expr = exp.maybe_parse(sql, dialect="duckdb")
    table.replace(exp.Subquery(this=body, alias=table.args.get("alias"), joins=table.args.get("joins")))


def _become_base(table: exp.Table, sql: str) -> None:
    from sqlglot import exp

    base: exp.Expr = exp.maybe_parse(f"SELECT * FROM {sql}", dialect="duckdb").args["from_"].this
    base.set("alias", table.args.get("alias"))
    base.set("joins", table.args.get("joins"))
    table.replace(base)


def _relation_sql(bound: BoundCall) -> str:
    call = bound.call
    arguments = ", ".join(f"i.a{n} AS __a{n}" for n in range(len(call.signature.inputs)))
    outputs = ", ".join(call.outputs_sql("r"))
    return f"SELECT {arguments}, {outputs} FROM {call.inputs_table} i JOIN {call.rows_table} r ON r.input_id = i.id"


def _rows(table: exp.Table, bound: BoundCall, whole: Bound) -> None:
    """A call in FROM, as a join if that shows, else as a LATERAL subquery."""
    from sqlglot import exp

    scope = table.find_ancestor(exp.Select)
    assert scope is not None
    keys = _keys(table, bound, whole)
    if _may_join(table, scope):
        _join(table, bound, scope, keys)
        return
    where = " AND ".join(f"{stored} = ({given})" for stored, given in keys) or "true"
    subquery = exp.Subquery(this=exp.maybe_parse(f"{_outputs_sql(bound, keys)} WHERE {where}", dialect="duckdb"))
    if isinstance(table.parent, exp.From):
        subquery.set("alias", table.args.get("alias"))
        subquery.set("joins", table.args.get("joins"))
        table.replace(subquery)
    else:
        table.replace(exp.Lateral(this=subquery, alias=table.args.get("alias")))


Keys = list[tuple[str, str]]
"""Stored column and the expression it must equal, as SQL."""


def _keys(table: exp.Table, bound: BoundCall, whole: Bound) -> Keys:
    number = _number_beside(table.this, bound, whole)
    if number is not None:
        return [("__r.input_id", number)]
    return [(f"__i.a{i}", argument.sql("duckdb")) for i, argument in enumerate(table.this.expressions)]


def _outputs_sql(bound: BoundCall, keys: Keys, more: str = "") -> str:
    """``SELECT outputs FROM`` the call's tables; the inputs' table only where the keys are there."""
    call = bound.call
    outputs = ", ".join(call.outputs_sql("__r"))
    source = f"{call.rows_table} __r"
    if not any(stored == "__r.input_id" for stored, _ in keys):
        source += f" JOIN {call.inputs_table} __i ON __r.input_id = __i.id"
    return f"SELECT {outputs}{more} FROM {source}"


def _may_join(table: exp.Table, scope: exp.Select) -> bool:
    """Not first in FROM, no join beside it that tells sides apart, no star whose columns cannot be named."""
    from sqlglot import exp

    joins = scope.args.get("joins") or []
    if not isinstance(table.parent, exp.Join) or table.parent not in joins or scope.find(exp.Columns):
        return False
    if any(j.side in ("RIGHT", "FULL") or j.method or j.args.get("using") or j.kind in ("SEMI", "ANTI") for j in joins):
        return False
    names = (c.name.lower() for c in scope.find_all(exp.Column) if not c.table)
    return table.alias.lower() not in names  # the alias as a value is the whole row


def _stars(scope: exp.Select) -> list[exp.Star]:
    """The ``*`` and ``alias.*`` of a scope's own projections."""
    from sqlglot import exp

    stars = []
    for projection in scope.expressions:
        star = projection.this if isinstance(projection, exp.Column) else projection
        if isinstance(star, exp.Star):
            stars.append(star)
    return stars


def _join(table: exp.Table, bound: BoundCall, scope: exp.Select, keys: Keys) -> None:
    from sqlglot import exp

    join, alias = table.parent, table.alias
    assert isinstance(join, exp.Join)
    names = [f"__key_{bound.number}_{i}" for i in range(len(keys))]
    more = "".join(f", {stored} AS {name}" for (stored, _), name in zip(keys, names, strict=True))
    body: exp.Expr = exp.maybe_parse(_outputs_sql(bound, keys, more), dialect="duckdb")
    given = [exp.paren(exp.maybe_parse(text, dialect="duckdb"), copy=False) for _, text in keys]
    conditions = [exp.EQ(this=exp.column(n, table=alias), expression=g) for n, g in zip(names, given, strict=True)]
    on = join.args.get("on")
    join.set("on", exp.and_(*conditions, *([on] if on is not None else []), copy=False) or exp.Boolean(this=True))
    join.set("kind", None)
    table.replace(exp.Subquery(this=body, alias=table.args.get("alias")))
    for star in _stars(scope):
        owner = star.parent.table if isinstance(star.parent, exp.Column) else ""
        if not owner or owner.lower() == alias.lower():
            hidden = [exp.column(name) for name in names]
            star.set("except_", [*(star.args.get("except_") or []), *hidden])


def _scalar(bound: BoundCall, arguments: list[exp.Expr], number: str | None) -> exp.Expr:
    from sqlglot import exp

    call = bound.call
    names = [column.name for column in call.signature.outputs]
    values = [f"__r.{quote(name)}{cast}" for name, cast in zip(names, call.casts, strict=True)]
    parts = ", ".join(f"{quote(name)} := {value}" for name, value in zip(names, values, strict=True))
    value = f"struct_pack({parts})" if len(names) > 1 else values[0]
    if number is not None:
        body = f"SELECT {value} FROM {call.rows_table} __r WHERE __r.input_id = {number}"
    else:
        body = (
            f"SELECT {value} FROM {call.inputs_table} __i JOIN {call.rows_table} __r ON __r.input_id = __i.id"
            f" WHERE {_matches(arguments)}"
        )
    return exp.Subquery(this=exp.maybe_parse(body, dialect="duckdb"))


def _matches(arguments: list[exp.Expr]) -> str:
    return " AND ".join(f"__i.a{i} = ({argument.sql('duckdb')})" for i, argument in enumerate(arguments)) or "true"


def _number_beside(node: exp.Expr, bound: BoundCall, whole: Bound) -> str | None:
    """:func:`blob_number` of a call where it is written, as SQL."""
    from sqlglot import exp

    scope = node.find_ancestor(exp.Select)
    number = None if scope is None else blob_number(bound, node.expressions, relations_of(scope), whole)
    return None if number is None else number.sql("duckdb")


def blob_number(
    bound: BoundCall, arguments: Sequence[exp.Expr], relations: Sequence[Relation], whole: Bound
) -> exp.Expr | None:
    """``f.blob_id`` when the one argument is the image of a media relation among `relations`; else None."""
    from sqlglot import exp

    if not takes_whole_blobs(bound) or len(arguments) != 1 or not isinstance(arguments[0], exp.Column):
        return None
    column = arguments[0]
    if column.name.lower() != "image" or not column.table:
        return None
    for relation in relations:
        if relation.alias == column.table.lower() and isinstance(relation.node, exp.Table):
            media = whole.media.get(relation.node.name.lower())
            return (
                exp.column("blob_id", table=column.args["table"].copy()) if media and media.function in MEDIA else None
            )
    return None


def takes_whole_blobs(bound: BoundCall) -> bool:
    """Whether inputs of this call may be blobs, which are kept under the blob's own number."""
    inputs = bound.call.signature.inputs
    return len(inputs) == 1 and inputs[0].type == IMAGE
