"""Estimates as the rows of the statement: its own SELECT list, HAVING, ORDER BY and LIMIT over them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from suffice.answer.tables.tally import Groups
from suffice.sql.aggregate.final_query import ESTIMATES, ROW, FinalQuery
from suffice.store.database import Database
from suffice.tables.reader import Reader

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]

_NAME = "suffice_estimates"


@contextmanager
def composed(
    database: Database,
    reader: Reader,
    final: FinalQuery,
    groups: Groups,
    shown: npt.NDArray[np.bool_],
    values: Sequence[Floats],
) -> Iterator[tuple[str, list[int]]]:
    """(SQL that gives the rows while the block lasts, the group of each row).

    Args:
        shown: [groups] those that have a row.
        values: [groups] each.
    """
    if final.is_one_row and shown.all():  # a constant is planned sooner than a registered table
        yield final.sql.replace(ESTIMATES, _constants(values)), [0]
        return
    table = _table(groups, shown, values)
    reader.cursor.register(_NAME, _once(table))
    order = [int(row[-1]) for row in reader.rows(final.numbered_sql.replace(ESTIMATES, _NAME))]
    reader.cursor.unregister(_NAME)
    with database.lock:
        database.connection.register(_NAME, _once(table))
    try:
        yield final.sql.replace(ESTIMATES, _NAME), order
    finally:
        with database.lock:
            database.connection.unregister(_NAME)


def _once(table: pa.Table) -> Any:
    """`table` to be read once: to register it as it is, DuckDB imports ``pyarrow.dataset`` for 20 ms."""
    return table.__arrow_c_stream__()


def _constants(values: Sequence[Floats]) -> str:
    known = ["NULL" if (value := _short(found[0])) is None else f"'{value!r}'" for found in values]
    items = [f"{value}::DOUBLE AS __a{i}" for i, value in enumerate(known)]
    return f"(SELECT {', '.join(items) or f'0 AS {ROW}'}) AS estimates"


def _short(value: float) -> float | None:
    """Twelve digits: the last ones of sums differ from thread to thread. None for what is not known."""
    return None if math.isnan(value) else float(f"{value:.12g}")


def _table(groups: Groups, shown: npt.NDArray[np.bool_], values: Sequence[Floats]) -> pa.Table:
    import pyarrow as pa

    rows, keys = np.flatnonzero(shown), list(groups.index)
    columns = {ROW: pa.array(rows)}
    for i in range(groups.keys):
        columns[f"__k{i}"] = pa.array([keys[g][i] for g in rows], groups.types[i])
    for i, found in enumerate(values):
        columns[f"__a{i}"] = pa.array([_short(value) for value in found[rows]], pa.float64())
    return pa.table(columns)
