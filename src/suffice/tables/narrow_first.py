"""The order of a copy's columns: what takes few bits first.

DuckDB writes a row group column by column into blocks of 256 KB, several small columns into one block, and reads whole
blocks. Columns that are a fraction of a block each then come in few blocks, whatever few of them a question names.
"""

from __future__ import annotations

from suffice.store.database import quote
from suffice.tables.reader import Reader

FEW_ROWS = 20_000
"""Enough to tell columns with few different values from others."""

_TEXT = ("VARCHAR", "BLOB")


def narrow_first(reader: Reader, query: str) -> list[str]:
    """Columns of `query`, of which a few thousand rows are enough."""
    names, types = reader.describe(query)
    asked = ", ".join(_asked(quote(name), kind) for name, kind in zip(names, types, strict=True))
    ((*found,),) = reader.rows(f"SELECT {asked} FROM ({query})")
    bits = {name: _bits(int(found[2 * i]), float(found[2 * i + 1] or 1)) for i, name in enumerate(names)}
    return sorted(names, key=lambda name: bits[name])


def _asked(column: str, kind: str) -> str:
    """Different values, and the bits of one that is written out."""
    whole = f"8 * avg(strlen({column}::VARCHAR))" if kind.startswith(_TEXT) else "64"
    return f"approx_count_distinct({column}), {whole}"


def _bits(different: int, whole: float) -> float:
    """Of a value, as a place in a dictionary or a range where there are few, else written out."""
    return whole if different > FEW_ROWS // 4 else min(float(different.bit_length()), whole)
