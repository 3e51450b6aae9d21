"""One snapshot of a target, for as many queries as an answer takes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.store.database import Database, literal
from suffice.store.explained import interruptible
from suffice.tables.file_state import State, target_state

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from sqlglot import exp


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

    def written(self, query: exp.Expr) -> str:
        """A query over stored tables, in the words of the database they are stored in."""
        return query.sql("postgres" if self.database.is_postgres else "duckdb")

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
        return self.describe(f"SELECT * FROM {name_sql}")[0]


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
