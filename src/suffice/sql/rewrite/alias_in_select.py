"""``SELECT m(x) AS b, b + 1`` reads as ``SELECT m(x) AS b, m(x) + 1``.

DuckDB lets a column of SELECT read another one's alias, but not where that one is a subquery, as a call becomes.
Whether a name is an alias or a column of a relation only DuckDB knows for sure: it says so, and then this is done.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp

_SAID = re.compile(r'Alias "(.+)" referenced in a SELECT clause - but the expression has a subquery')


def alias_in_select(tree: exp.Expr, said: str) -> exp.Expr | None:
    """`tree` with the alias that DuckDB's message names written out where SELECT reads it; None when it names none."""
    from sqlglot import exp

    found = _SAID.search(said)
    if found is None:
        return None
    tree, reads = tree.copy(), 0
    for select in tree.find_all(exp.Select):
        value = next((p.this for p in select.expressions if _is_named(p, found[1])), None)
        if value is None:
            continue
        for projection in list(select.expressions):
            columns = [c for c in projection.find_all(exp.Column) if _reads(c, found[1], select)]
            if columns and not isinstance(projection, exp.Alias | exp.Aliases):
                written = projection.sql("duckdb", normalize_functions="lower")
                named = exp.alias_(projection.copy(), written, quoted=True)
                projection.replace(named)
                columns = [c for c in named.find_all(exp.Column) if _reads(c, found[1], select)]
            for column in columns:
                column.replace(exp.paren(value.copy(), copy=False))
            reads += len(columns)
    return tree if reads else None


def _reads(column: exp.Column, alias: str, select: exp.Select) -> bool:
    from sqlglot import exp

    return not column.table and column.name.lower() == alias.lower() and column.find_ancestor(exp.Select) is select


def _is_named(projection: exp.Expr, alias: str) -> bool:
    from sqlglot import exp

    return isinstance(projection, exp.Alias) and projection.alias.lower() == alias.lower()
