"""Tables that are read often, compressed in memory.

DuckDB keeps temporary tables as they come, and scanning such a million rows takes twice as long as scanning a stored
million. Here they are as compressed as in a file. Memory is DuckDB's own (`memory_limit`), which spills to disk.
"""

from __future__ import annotations

import uuid
from contextlib import suppress

from suffice.store.database import Database


class Shelf:
    """The compressed tables of one connection."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._name: str | None = None
        self._tables = 0

    def put(self, select: str) -> str | None:
        """A table with the rows of `select`; None inside a transaction, which may be taken back."""
        import duckdb

        if self._is_in_transaction():
            return None
        if self._name is None:  # other connections of this process to the same file see the name
            name = f"suffice_{uuid.uuid4().hex}"
            self._database.rows(f"ATTACH ':memory:' AS {name} (COMPRESS)")
            self._name = name
        self._tables += 1
        table = f"{self._name}.main.suffice_shelf_{self._tables}"
        self._database.rows(f"CREATE TABLE {table} AS {select}")
        with suppress(duckdb.TransactionException):  # another cursor of the user's reads it: it stays as it is
            self._database.rows(f"CHECKPOINT {self._name}")
        return table

    def clear(self) -> None:
        """Let go of all of them."""
        if self._name is None:
            return
        with self._database.lock, self._database.connection.cursor() as beside:  # whatever transaction the user is in
            beside.execute(f"DETACH {self._name}")
        self._name = None

    def _is_in_transaction(self) -> bool:
        first, second = (self._database.rows("SELECT txid_current()") for _ in range(2))
        return first == second
