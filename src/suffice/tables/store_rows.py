"""What the store's own tables say, asked once for each state of the file: a small table takes a whole block to read."""

from __future__ import annotations

from typing import Any

from suffice.tables.file_state import State
from suffice.tables.kept_facts import keep_of_state, known_of_state
from suffice.tables.reader import Reader

_KNOWN: dict[tuple[str, State, str], list[tuple[Any, ...]]] = {}
_MOST = 1000


def store_rows(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    """Rows of such a table, of values that JSON can hold; none where it was never made."""
    if reader.state is None:
        return _read(reader, sql)
    key = reader.database.target, reader.state, sql
    if key not in _KNOWN:
        kept = known_of_state(*key)
        while len(_KNOWN) >= _MOST:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = _read(reader, sql) if kept is None else [tuple(row) for row in kept]
        if kept is None:
            keep_of_state(*key, _KNOWN[key])
    return _KNOWN[key]


def _read(reader: Reader, sql: str) -> list[tuple[Any, ...]]:
    import duckdb

    try:
        return reader.once(sql)
    except duckdb.CatalogException:
        return []
