"""PostgreSQL: for processes on many machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from suffice.errors import SufficeError
from suffice.federated.checkin.stores.sql import SCHEMA

if TYPE_CHECKING:
    import psycopg

_SCHEMA_LOCK = 0x5FED


class PostgresDatabase:
    """The database at `dsn`. A connection that the server dropped is opened anew by the next call."""

    row_lock = " FOR UPDATE"

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._held: psycopg.Connection[tuple[Any, ...]] | None = None
        with self.writing():
            # Two that create the same table at once would collide.
            self.rows("SELECT pg_advisory_xact_lock(?)", (_SCHEMA_LOCK,))
            for table in SCHEMA:
                self.run(table.format(bytes="BYTEA", float="DOUBLE PRECISION"), ())

    def close(self) -> None:
        if self._held is not None:
            self._held.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        with self._connection().transaction():
            yield

    def run(self, query: str, values: Sequence[Any]) -> int:
        return self._connection().execute(_marked(query), values).rowcount

    def rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._connection().execute(_marked(query), values).fetchall()

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            import psycopg
        except ImportError:
            raise SufficeError("a store in PostgreSQL needs psycopg: pip install 'suffice[postgres]'") from None
        if self._held is None or self._held.closed:
            try:
                self._held = psycopg.connect(self._dsn, autocommit=True)
            except psycopg.OperationalError as error:
                raise SufficeError(f"cannot open the store: {str(error).strip()}") from None
        return self._held


def _marked(query: str) -> bytes:
    return query.replace("?", "%s").encode()
