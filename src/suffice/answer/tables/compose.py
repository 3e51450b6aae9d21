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
from suffice.store.database import Database, literal
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
    if (rows := _constants(groups, shown, values)) is not None:
        is_known = final.is_one_row and shown.all()
        order = [0] if is_known else _order(reader, final, rows)
        yield final.sql.replace(ESTIMATES, rows), order
        return
    table = _table(groups, shown, values)
    reader.cursor.register(_NAME, _once(table))
    order = _order(reader, final, _NAME)
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


def _order(reader: Reader, final: FinalQuery, rows: str) -> list[int]:
    return [int(row[-1]) for row in reader.rows(final.numbered_sql.replace(ESTIMATES, rows))]


def _constants(groups: Groups, shown: npt.NDArray[np.bool_], values: Sequence[Floats]) -> str | None:
    """The rows of :func:`_table` written out, which are planned sooner than a registered table, and do without pandas,
    which DuckDB and pyarrow import to look at one; None where there are many or none, or of types not plain."""
    rows, keys = np.flatnonzero(shown).tolist(), list(groups.index)
    kinds = [_PLAIN.get(str(kind), "") for kind in groups.types]
    if not (0 < len(rows) <= _FEW and all(kinds)):
        return None
    names = [ROW, *(f"__k{i}" for i in range(groups.keys)), *(f"__a{i}" for i in range(len(values)))]

    def written(row: int) -> str:
        mine = [_literal(key, kind) for key, kind in zip(keys[row], kinds, strict=True)]
        found = [_literal(_short(value[row]), "DOUBLE") for value in values]
        return f"({', '.join([str(row), *mine, *found])})"

    all_rows = ", ".join(map(written, rows))
    return None if "\0" in all_rows else f"(VALUES {all_rows}) AS estimates({', '.join(names)})"


_FEW = 64
_PLAIN = {
    "string": "VARCHAR", "bool": "BOOLEAN", "int8": "TINYINT", "int16": "SMALLINT", "int32": "INTEGER",
    "int64": "BIGINT", "date32[day]": "DATE",
}  # fmt: skip
"""DuckDB's types whose values a text gives back as they were, by their names in Arrow."""


def _literal(value: Any, kind: str) -> str:
    return f"NULL::{kind}" if value is None else f"{literal(str(value))}::{kind}"


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
