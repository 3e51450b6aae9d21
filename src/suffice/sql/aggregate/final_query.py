"""The statement's own SELECT list, HAVING, ORDER BY and LIMIT, over a table of estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed

ESTIMATES = "__suffice_estimates"
"""Stands for the relation of estimates: ``__row, __k{i}, __a{i}``."""

ROW = "__row"


@dataclass(frozen=True)
class FinalQuery:
    """Attributes:
    sql: over :data:`ESTIMATES`.
    numbered_sql: the same with :data:`ROW` as its last column.
    is_one_row: whether each row of estimates is a row of the answer, and there is one.
    """

    sql: str
    numbered_sql: str
    is_one_row: bool


def final_query(query: Decomposed, names: Sequence[str], types: Sequence[str]) -> FinalQuery:
    """Result columns get `names` and `types`."""
    items = [
        exp.alias_(exp.cast(item.unalias(), kind, dialect="duckdb"), name, quoted=True, copy=False)
        for item, name, kind in zip(query.final.expressions, names, types, strict=True)
    ]
    final = exp.Select(expressions=items).from_(exp.to_table(ESTIMATES), copy=False)
    if having := query.final.args.get("having"):
        final = final.where(having.this.copy(), copy=False)
    for clause in ("order", "limit"):
        if query.final.args.get(clause):
            final.set(clause, query.final.args[clause].copy())
    is_one_row = not query.keys and not any(query.final.args.get(clause) for clause in ("having", "limit"))
    sql = final.sql("duckdb")
    final.append("expressions", exp.column(ROW))
    return FinalQuery(sql, final.sql("duckdb", copy=False), is_one_row)
