"""Placeholders to what they stand for: the SQL that DuckDB runs, once results are where the calls look for them.

Two forms of the same lookup. In the *answer*, which keeps the user's own shape, a call in FROM is a LATERAL
subquery that shows only its outputs. In a *need*, where calls read as relations, it is a join that also has the
arguments. A whole blob is found by its number, anything else by its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suffice.models.protocol import IMAGE
from suffice.sql.plan import BASE_PREFIX, MEDIA_PREFIX, ROWS_PREFIX, SCALAR_PREFIX, Bound, BoundCall, number_of
from suffice.store.database import quote

if TYPE_CHECKING:
    from sqlglot import exp


def answer_sql(bound: Bound) -> str:
    """The statement itself, over the store."""
    from sqlglot import exp

    tree = bound.tree.copy()
    for table in list(tree.find_all(exp.Table)):
        if isinstance(table.this, exp.Anonymous) and (n := number_of(table.this.name, ROWS_PREFIX)) is not None:
            _lateral(table, bound.calls[n], bound)
    return _finish(tree, bound).sql("duckdb")


def need_sql(select: exp.Expression, bound: Bound, base_sql: Mapping[str, str]) -> str:
    """A need, over the store."""
    from sqlglot import exp

    tree = select.copy()
    for table in list(tree.find_all(exp.Table)):
        name = table.name.lower()
        if (n := number_of(name, ROWS_PREFIX)) is not None:
            _become(table, _relation_sql(bound.calls[n]))
        elif number_of(name, BASE_PREFIX) is not None:
            _become_base(table, base_sql[name])
    return _finish(tree, bound).sql("duckdb")


def _finish(tree: exp.Expression, bound: Bound) -> exp.Expression:
    from sqlglot import exp

    for table in tree.find_all(exp.Table):
        if number_of(table.name, MEDIA_PREFIX) is not None:
            _become_table(table, bound.media[table.name.lower()].table)
    for node in reversed(list(tree.find_all(exp.Anonymous))):  # innermost first: an argument may be a call
        if (n := number_of(node.name, SCALAR_PREFIX)) is not None:
            node.replace(_scalar(bound.calls[n], node.expressions, _finds_by_number(node, bound)))
    return tree


def _become_table(table: exp.Table, name: str) -> None:
    from sqlglot import exp

    schema, _, bare = name.rpartition(".")
    table.set("this", exp.to_identifier(bare))
    table.set("db", exp.to_identifier(schema))


def _become(table: exp.Table, sql: str) -> None:
    """Put a parenthesised query where a placeholder stood, alias kept."""
    from sqlglot import exp

    body = exp.maybe_parse(sql, dialect="duckdb")
    table.replace(exp.Subquery(this=body, alias=table.args.get("alias"), joins=table.args.get("joins")))


def _become_base(table: exp.Table, sql: str) -> None:
    from sqlglot import exp

    base = exp.maybe_parse(f"SELECT * FROM {sql}", dialect="duckdb").args["from_"].this
    base.set("alias", table.args.get("alias"))
    base.set("joins", table.args.get("joins"))
    table.replace(base)


def _relation_sql(bound: BoundCall) -> str:
    call = bound.call
    arguments = ", ".join(f"i.a{n} AS __a{n}" for n in range(len(call.signature.inputs)))
    outputs = ", ".join(f"r.{quote(column.name)}" for column in call.signature.outputs)
    return f"SELECT {arguments}, {outputs} FROM {call.inputs_table} i JOIN {call.rows_table} r ON r.input_id = i.id"


def _lateral(table: exp.Table, bound: BoundCall, whole: Bound) -> None:
    from sqlglot import exp

    call = bound.call
    outputs = ", ".join(f"__r.{quote(column.name)}" for column in call.signature.outputs)
    arguments = table.this.expressions
    if (number := _finds_by_number(table.this, whole)) is not None:
        body = f"SELECT {outputs} FROM {call.rows_table} __r WHERE __r.input_id = {number}"
    else:
        body = (
            f"SELECT {outputs} FROM {call.inputs_table} __i JOIN {call.rows_table} __r ON __r.input_id = __i.id"
            f" WHERE {_matches(arguments)}"
        )
    subquery = exp.Subquery(this=exp.maybe_parse(body, dialect="duckdb"))
    joins = table.args.get("joins")
    is_first = isinstance(table.parent, exp.From)
    alias = table.args.get("alias")
    if is_first:
        subquery.set("alias", alias)
        subquery.set("joins", joins)
        table.replace(subquery)
    else:
        table.replace(exp.Lateral(this=subquery, alias=alias))


def _scalar(bound: BoundCall, arguments: list[exp.Expression], number: str | None) -> exp.Expression:
    from sqlglot import exp

    call = bound.call
    names = [column.name for column in call.signature.outputs]
    value = f"__r.{quote(names[0])}"
    if len(names) > 1:
        value = "struct_pack(" + ", ".join(f"{quote(n)} := __r.{quote(n)}" for n in names) + ")"
    if number is not None:
        body = f"SELECT {value} FROM {call.rows_table} __r WHERE __r.input_id = {number}"
    else:
        body = (
            f"SELECT {value} FROM {call.inputs_table} __i JOIN {call.rows_table} __r ON __r.input_id = __i.id"
            f" WHERE {_matches(arguments)}"
        )
    return exp.Subquery(this=exp.maybe_parse(body, dialect="duckdb"))


def _matches(arguments: list[exp.Expression]) -> str:
    return " AND ".join(f"__i.a{i} = ({argument.sql('duckdb')})" for i, argument in enumerate(arguments)) or "true"


def _finds_by_number(node: exp.Expression, bound: Bound) -> str | None:
    """``f.blob_id`` when the one argument is the image of a media relation in the same FROM; else None."""
    from sqlglot import exp

    from suffice.sql.rewrite.needs import relations_of

    scope = node.find_ancestor(exp.Select)
    arguments = node.expressions
    if scope is None or len(arguments) != 1 or not isinstance(arguments[0], exp.Column):
        return None
    column = arguments[0]
    if column.name.lower() != "image" or not column.table:
        return None
    for relation in relations_of(scope):
        if relation.alias == column.table.lower() and isinstance(relation.node, exp.Table):
            is_media = number_of(relation.node.name, MEDIA_PREFIX) is not None
            return f"{quote(column.table)}.blob_id" if is_media else None
    return None


def takes_whole_blobs(bound: BoundCall) -> bool:
    """Whether inputs of this call may be blobs, which are kept under the blob's own number."""
    inputs = bound.call.signature.inputs
    return len(inputs) == 1 and inputs[0].type == IMAGE
