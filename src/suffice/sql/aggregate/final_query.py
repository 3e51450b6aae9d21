"""The statement's own SELECT list, HAVING, ORDER BY and LIMIT, over a table of estimates."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from suffice.sql.aggregate.decompose import Decomposed

ROW = "__row"


def final_query(query: Decomposed, estimates: str, names: Sequence[str], types: Sequence[str]) -> exp.Select:
    """Over table `estimates` (``__k{i}, __a{i}, __row``); result columns get `names` and `types`, then ``__row``."""
    items = [
        exp.alias_(exp.cast(item.unalias().copy(), kind, dialect="duckdb"), name, quoted=True)
        for item, name, kind in zip(query.final.expressions, names, types, strict=True)
    ]
    final = exp.Select(expressions=[*items, exp.column(ROW)]).from_(exp.to_table(estimates))
    if having := query.final.args.get("having"):
        final = final.where(having.this.copy())
    for clause in ("order", "limit"):
        if query.final.args.get(clause):
            final.set(clause, query.final.args[clause].copy())
    return final
