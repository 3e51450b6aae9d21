"""What the store's own tables say, asked once for each state of the file: a small table takes a whole block to read."""

from __future__ import annotations

from typing import Any

from suffice.tables.reader import Reader


def store_rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    """Rows of such a table, of values that JSON can hold; none where it was never made."""
    import duckdb

    def read(sql: str) -> list[tuple[Any, ...]]:
        try:
            return reader.once(sql)
        except duckdb.CatalogException:
            return []

    return reader.kept(sql, read)
