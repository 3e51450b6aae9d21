"""Estimates as the rows of the statement: its own SELECT list, HAVING, ORDER BY and LIMIT over them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from suffice.answer.tables.looks import Look, Looks
from suffice.sql.aggregate.final_query import ROW, final_query
from suffice.store.database import Database
from suffice.tables.reader import Reader

if TYPE_CHECKING:
    import pyarrow as pa

_NAME = "suffice_estimates"


@contextmanager
def composed(database: Database, reader: Reader, looks: Looks, look: Look) -> Iterator[tuple[str, list[int]]]:
    """(SQL that gives the rows while the block lasts, the group of each row)."""
    plan = looks.plan
    table = _estimates(looks, look)
    numbered = final_query(plan.query, _NAME, plan.names, plan.types)
    order = [0]
    if plan.query.keys or any(plan.query.final.args.get(clause) for clause in ("having", "limit")):
        reader.cursor.register(_NAME, table)
        order = [int(row[-1]) for row in reader.rows(numbered.sql("duckdb"))]
        reader.cursor.unregister(_NAME)
    numbered.set("expressions", numbered.expressions[:-1])
    with database.lock:
        database.connection.register(_NAME, table)
    try:
        yield numbered.sql("duckdb"), order
    finally:
        with database.lock:
            database.connection.unregister(_NAME)


def _estimates(looks: Looks, look: Look) -> pa.Table:
    """Columns ``__row``, ``__k{i}``, ``__a{i}`` of the groups shown; sums of doubles to twelve digits, since the last
    ones differ from thread to thread."""
    import pyarrow as pa

    groups, shown = looks.tally.groups, np.flatnonzero(look.shown)
    keys = list(groups.index)
    columns = {ROW: pa.array(shown)}
    for i in range(groups.keys):
        columns[f"__k{i}"] = pa.array([keys[g][i] for g in shown], groups.types[i])
    for i, (_, formula) in enumerate(looks.plan.query.aggregates):
        values = formula.value_and_gradient(look.needs.totals)[0][shown]
        columns[f"__a{i}"] = pa.array([float(f"{value:.12g}") for value in values])
    return pa.table(columns)
