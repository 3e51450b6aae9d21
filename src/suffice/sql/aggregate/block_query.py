"""The query that brings back each piece for each drawn block and group."""

from __future__ import annotations

import sqlglot
from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.from_tables import table_alias


def block_query(
    statement: exp.Select, query: Decomposed, table: exp.Table, relation_sql: str, block: str, drawn: str, dialect: str
) -> exp.Select:
    """`statement` with `table` (a node of its FROM) replaced by a sampled relation, grouped by block as well.

    Columns: ``__block``, ``__k{i}`` the keys, ``__p{i}`` the pieces, ``__l{i}``, ``__h{i}`` their least and greatest
    row value (sums only), ``__drawn``.
    """
    name = table_alias(table)
    relation = sqlglot.parse_one(f"SELECT * FROM {relation_sql} AS t", dialect=dialect).args["from_"].this
    relation.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    source = statement.copy().transform(lambda node: relation if _same(node, table) else node)
    qualifier = exp.to_identifier(name, quoted=True)
    block_column = exp.Column(this=exp.to_identifier(block), table=qualifier)
    items: list[exp.Expr] = [exp.alias_(block_column.copy(), "__block")]
    items += [exp.alias_(key.copy(), f"__k{i}") for i, key in enumerate(query.keys)]
    for i, piece in enumerate(query.pieces):
        items.append(exp.alias_(piece.sum_sql(), f"__p{i}"))
        if piece.value is not None:
            items.append(exp.alias_(piece.extreme_sql(exp.Min), f"__l{i}"))
            items.append(exp.alias_(piece.extreme_sql(exp.Max), f"__h{i}"))
    drawn_column = exp.Column(this=exp.to_identifier(drawn), table=qualifier.copy())
    items.append(exp.alias_(exp.Max(this=drawn_column), "__drawn"))
    result = exp.Select(expressions=items)
    for clause in ("from_", "joins", "where"):
        if source.args.get(clause):
            result.set(clause, source.args[clause])
    grouping = [block_column, *(key.copy() for key in query.keys)]
    result.set("group", exp.Group(expressions=grouping))
    return result


def _same(node: exp.Expr, table: exp.Table) -> bool:
    return isinstance(node, exp.Table) and node.meta.get("sampled", False)
