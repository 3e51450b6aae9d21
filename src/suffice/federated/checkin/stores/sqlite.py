"""SQLite: one file, for processes on one machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from suffice.errors import SufficeError
from suffice.federated.checkin.stores.sql import SCHEMA


class SqliteDatabase:
    """The file at `path`; a transaction keeps every other writer out."""

    row_lock = ""

    def __init__(self, path: str) -> None:
        try:
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            for table in SCHEMA:
                self._connection.execute(table.format(bytes="BLOB", float="REAL"))
        except sqlite3.DatabaseError as error:
            raise SufficeError(f"cannot open the store {path!r}: {error}") from None

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def run(self, query: str, values: Sequence[Any]) -> int:
        with closing(self._connection.execute(query, values)) as cursor:
            return cursor.rowcount

    def rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()
