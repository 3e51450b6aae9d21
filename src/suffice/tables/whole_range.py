"""The range of a column of a table that is read whole anyway."""

from __future__ import annotations

import math

from suffice.store.database import quote
from suffice.tables.reader import Reader
from suffice.tables.source import Range
from suffice.tables.told import told


def whole_range(reader: Reader, name_sql: str, column: str) -> Range | None:
    """(least, greatest) of a numeric column; None for any other, and for one with NaN or infinity in it."""
    found = told(reader, name_sql, f"range of {column.lower()}", lambda: _read(reader, name_sql, column))
    return None if found is None else (found[0], found[1])


def _read(reader: Reader, name_sql: str, column: str) -> Range | None:
    import duckdb

    ends = ", ".join(f"CAST({end}({quote(column)}) AS DOUBLE PRECISION) AS e{end}" for end in ("min", "max"))
    try:
        ((low, high),) = reader.rows(f"SELECT {ends} FROM {name_sql}")
    except duckdb.Error:  # not a number
        return None
    if low is None or not (math.isfinite(low) and math.isfinite(high)):
        return None
    return float(low), float(high)
