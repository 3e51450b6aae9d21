"""Let DuckDB look at a query before any model runs: a wrong name costs nothing, and is named."""

from __future__ import annotations

import re
from dataclasses import replace

from suffice.answer.engine import Engine
from suffice.errors import UsageError, nearest
from suffice.sql.plan import Bound, number_of
from suffice.sql.rewrite.alias_in_select import alias_in_select
from suffice.sql.rewrite.as_sql import answer_sql

_UNKNOWN = re.compile(
    r'Referenced column "(.+?)" not found in FROM clause.*\b(?:a\d+|input_id|row_index)\b'
    r'|Values list ".*" does not have a column named "(.+?)"',
    re.DOTALL,
)
"""DuckDB's messages where the nearest columns that it finds are the store's, or where it names none."""


def bindable(engine: Engine, bound: Bound) -> Bound:
    """`bound`, changed where DuckDB says that it must be; raises what DuckDB finds wrong with it."""
    import duckdb
    from sqlglot import exp

    while isinstance(bound.tree, exp.Query):
        try:
            engine.database.rows(f"DESCRIBE {answer_sql(bound)}")
            break
        except duckdb.BinderException as error:
            tree = alias_in_select(bound.tree, str(error))
            if tree is None:
                _name_the_column(engine, bound, str(error))
                raise
            bound = replace(bound, tree=tree)
    return bound


def _name_the_column(engine: Engine, bound: Bound, said: str) -> None:
    """Raise the error with the nearest columns of the query's own relations."""
    from sqlglot import exp

    unknown = _UNKNOWN.search(said)
    if unknown is None:
        return
    known = [column for media in bound.media.values() for column in media.columns]
    known += [column.name for call in bound.calls.values() for column in call.model.signature.outputs]
    for table in bound.tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and number_of(table.name, "__media_") is None:
            known += engine.describe(exp.Table(this=table.this.copy(), db=table.args.get("db")).sql("duckdb"))
    name = unknown[1] or unknown[2]
    raise UsageError(f'there is no column "{name}" here{nearest(name, dict.fromkeys(known))}')
