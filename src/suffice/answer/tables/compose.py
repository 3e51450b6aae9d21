"""Estimates as the rows of the statement: its own SELECT list, HAVING, ORDER BY and LIMIT over them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.tally import Groups
from suffice.sql.aggregate.decompose import Decomposed
from suffice.sql.aggregate.final_query import ROW, final_query
from suffice.store.database import Database
from suffice.tables.reader import Reader

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]

_NAME = "suffice_estimates"


@contextmanager
def composed(
    database: Database, reader: Reader, query: Decomposed, columns: tuple[list[str], list[str]], table: pa.Table
) -> Iterator[tuple[str, list[int]]]:
    """(SQL that gives the rows while the block lasts, the group of each row).

    Args:
        columns: (names, types) of the result's.
        table: of :func:`estimates_table`.
    """
    numbered = final_query(query, _NAME, *columns)
    order = [0]
    if query.keys or any(query.final.args.get(clause) for clause in ("having", "limit")):
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


def estimates_table(groups: Groups, shown: npt.NDArray[np.bool_], values: Sequence[Floats]) -> pa.Table:
    """Columns ``__row``, ``__k{i}``, ``__a{i}`` (of `values` [groups], each) of the groups shown; doubles to twelve
    digits, since the last ones of sums differ from thread to thread."""
    import pyarrow as pa

    rows, keys = np.flatnonzero(shown), list(groups.index)
    columns = {ROW: pa.array(rows)}
    for i in range(groups.keys):
        columns[f"__k{i}"] = pa.array([keys[g][i] for g in rows], groups.types[i])
    for i, found in enumerate(values):
        columns[f"__a{i}"] = pa.array([float(f"{value:.12g}") for value in found[rows]])
    return pa.table(columns)
