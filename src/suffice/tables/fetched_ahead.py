"""The blocks of a DuckDB file that a draw will read, asked of the disk all at once.

DuckDB reads a column of a row group when it comes to it, a block at a time. Where each lies is written down when a copy
is made (the numbers of stored blocks never change while a table is not written to); a large draw then tells the
operating system what it will need, and the disk is not waited for again and again.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from suffice.store.database import literal
from suffice.tables.reader import Reader

_GROUPS_LEAST = 4
"""Row groups of a draw; fewer are read as soon as asked for."""

_HEADER_BYTES = 3 * 4096
_BLOCKS = """
    SELECT DISTINCT {name} AS name, row_group_id AS row_group, lower(column_name) AS column_name,
        {header} + block_id * {size} AS first_byte, {size} AS bytes
    FROM pragma_storage_info({copy}) WHERE persistent AND block_id >= 0 ORDER BY row_group, first_byte
"""


def note_blocks(reader: Reader, name: str, copy: str) -> None:
    """Write down where the row groups of the copy of a table lie; call it when all of it is in the file."""
    import duckdb

    forget_blocks(reader, name)
    ((size,),) = reader.rows(f"SELECT block_size FROM pragma_database_size() WHERE database_name = {_catalog(reader)}")
    found = _BLOCKS.format(name=literal(name), copy=literal(copy), header=_HEADER_BYTES, size=size)
    with suppress(duckdb.CatalogException):  # DuckDB does not find a name with a quote in it
        reader.rows(f"CREATE TABLE IF NOT EXISTS {_table_sql(reader)} AS {found} LIMIT 0")
        reader.rows(f"INSERT INTO {_table_sql(reader)} {found}")


def forget_blocks(reader: Reader, name: str) -> None:
    """Of the copy of a table."""
    import duckdb

    with suppress(duckdb.CatalogException):
        reader.rows(f"DELETE FROM {_table_sql(reader)} WHERE name = {literal(name)}")


def has_blocks(reader: Reader, name: str) -> bool:
    """Whether any are written down."""
    return bool(_rows(reader, f"SELECT 1 FROM {_table_sql(reader)} WHERE name = {literal(name)} LIMIT 1"))


def fetch_ahead(reader: Reader, name: str, columns: Sequence[str], groups: Sequence[int]) -> None:
    """Ask for what whole row groups of a copy take in some columns, if that is much and was not asked for before."""
    if len(_ASKED) >= _ASKED_MOST or reader.state is None:
        _ASKED.clear()
    asked = _ASKED.setdefault((reader.database.target, reader.state, name, tuple(sorted(columns))), set())
    wanted = {*groups} - asked
    if len(wanted) < _GROUPS_LEAST or not hasattr(os, "posix_fadvise"):
        return
    asked |= wanted
    named = ", ".join(literal(column.lower()) for column in columns)
    blocks = _rows(
        reader,
        f"SELECT first_byte, bytes FROM {_table_sql(reader)} WHERE name = {literal(name)}"
        f" AND column_name IN ({named}) AND row_group IN ({', '.join(map(str, sorted(wanted)))})",
    )
    with suppress(OSError):
        _will_need(reader.database.file, sorted(set(blocks)))


_ASKED_MOST = 1000
_ASKED: dict[object, set[int]] = {}
"""Row groups by state of the file, copy and columns: what this process has read, DuckDB holds, or the system does."""


def _will_need(path: str, blocks: Iterable[tuple[int, int]]) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        for first, size in _joined(blocks):
            os.posix_fadvise(file, first, size, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(file)


def _joined(blocks: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Neighbours as one."""
    start = end = 0
    for first, size in blocks:
        if first != end:
            if end > start:
                yield start, end - start
            start = first
        end = first + size
    if end > start:
        yield start, end - start


def _rows(reader: Reader, sql: str) -> list[tuple[int, int]]:
    """Of a store that may never have written any down."""
    import duckdb

    try:
        return reader.rows(sql)
    except duckdb.CatalogException:
        return []


def _table_sql(reader: Reader) -> str:
    return f"{reader.database.schema}.scramble_blocks"


def _catalog(reader: Reader) -> str:
    """The name of the attached file that the store is in, as a text."""
    from sqlglot import to_table

    return literal(to_table(reader.database.schema, dialect="duckdb").db)
