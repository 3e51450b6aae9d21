"""One snapshot of a target, for as many queries as an answer takes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.store.database import Database, literal
from suffice.store.explained import interruptible
from suffice.tables.file_state import State, target_state
from suffice.tables.kept_facts import keep_of_state, known_of_state

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sqlglot import exp


_KEPT: dict[tuple[str, State, str], list[tuple[Any, ...]]] = {}
_KEPT_MOST = 1000


@dataclass(frozen=True)
class Reader:
    """Runs queries on a cursor of its own, inside one transaction.

    Attributes:
        database: the target.
        cursor: sees what was committed when the snapshot began; temporary tables of the connection it does not see.
        state: of the target's file before the snapshot began, so that nothing learnt from the snapshot is ever taken
            for true of a later state; None where nothing tells.
        learns: whether large tables may be read to know more of them for the next time.
        told: what :meth:`once` has read.
        threads: of :meth:`beside`, which the end of the snapshot waits for.
    """

    database: Database
    cursor: duckdb.DuckDBPyConnection
    state: State | None = None
    learns: bool = True
    told: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    threads: list[threading.Thread] = field(default_factory=list)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of DuckDB SQL. No parameters: to convert the first one, DuckDB's module imports for 250 ms."""
        with interruptible():
            return self.cursor.execute(sql).fetchall()

    def once(self, sql: str) -> list[tuple[Any, ...]]:
        """:meth:`rows` of what the snapshot does not change: the catalogue, or how many rows a table has."""
        if sql not in self.told:
            self.told[sql] = self.rows(sql)
        return self.told[sql]

    def kept(self, sql: str, read: Callable[[str], list[tuple[Any, ...]]] | None = None) -> list[tuple[Any, ...]]:
        """`read` of `sql`, :meth:`once` unless told: rows of values that JSON can hold, which hold for a state of the
        file; told once for each, whatever process asks."""
        read = read or self.once
        if self.state is None:
            return read(sql)
        key = self.database.target, self.state, sql
        if key not in _KEPT:
            told = known_of_state(*key)
            while len(_KEPT) >= _KEPT_MOST:
                _KEPT.pop(next(iter(_KEPT)))
            _KEPT[key] = read(sql) if told is None else [tuple(row) for row in told]
            if told is None:
                keep_of_state(*key, _KEPT[key])
        return _KEPT[key]

    def catalogue(self, sql: str) -> list[tuple[Any, ...]]:
        """:meth:`kept` rows of what tables and views there are, which a folder's lie in memory, out of its state."""
        return self.kept(sql) if self.database.lake is None else self.once(sql)

    def beside(self, sql: str) -> None:
        """Run `sql` in a thread while planning goes on, for what DuckDB then has in memory; no matter if it fails."""
        import duckdb

        cursor = self.database.connection.cursor()

        def run() -> None:
            with suppress(duckdb.Error):
                cursor.execute(sql).fetchall()
            cursor.close()

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def written(self, query: exp.Expr, *, copy: bool = True) -> str:
        """A query over stored tables, in the words of the database they are stored in; without `copy` of no more use
        afterwards."""
        return query.sql("postgres" if self.database.is_postgres else "duckdb", copy=copy)

    def table(self, written: str) -> pa.Table:
        """The result of such a query, run there."""
        with interruptible():
            return self.cursor.execute(self.there(written)).to_arrow_table()

    def there(self, sql: str) -> str:
        """DuckDB SQL that has `sql`, written for the target's own database, run there."""
        return f"SELECT * FROM postgres_query('store', {literal(sql)})" if self.database.is_postgres else sql

    def rows_there(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of SQL written for the target's own database."""
        if (clickhouse := self.database.clickhouse) is not None:
            return clickhouse.rows(sql)
        return self.rows(self.there(sql))

    def describe(self, sql: str) -> tuple[list[str], list[str]]:
        """(names, DuckDB types) of the columns of a query, without running it."""
        rows = self.once(f"DESCRIBE {sql}")
        return [r[0] for r in rows], [r[1] for r in rows]

    def columns(self, name_sql: str) -> list[str]:
        """Column names of a table."""
        return [name for name, *_ in self.catalogue(f"DESCRIBE SELECT * FROM {name_sql}")]


@contextmanager
def snapshot(database: Database) -> Iterator[Reader]:
    """A reader of one state of `database`, whatever others write meanwhile."""
    import duckdb

    cursor, reader = database.cursor(), None
    try:
        state = target_state(database)
        cursor.execute("BEGIN TRANSACTION")
        yield (reader := Reader(database, cursor, state))
    finally:
        for thread in reader.threads if reader else []:
            thread.join()
        with suppress(duckdb.Error):  # a failed transaction has ended
            cursor.execute("ROLLBACK")
        cursor.close()


def in_transaction(database: Database) -> bool:
    """Whether the connection is inside a BEGIN of the user's, whose changes no other cursor sees."""
    first, second = (database.rows("SELECT epoch_us(now())") for _ in range(2))  # when the transaction began
    return first == second


def plain_name(name_sql: str) -> str:
    """The name under which a table is catalogued."""
    import sqlglot

    return ".".join(part.name.lower() for part in sqlglot.to_table(name_sql, dialect="duckdb").parts)
