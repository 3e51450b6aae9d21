"""Where a target lives: opens DuckDB, attaches what the target names, and says where the store's tables are."""

from __future__ import annotations

import importlib.resources
import importlib.util
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from suffice.errors import SufficeError

if TYPE_CHECKING:
    import duckdb

STORE_SCHEMA = "suffice"
LOCK_SPACE = 0x50FF1CE
"""First half of our PostgreSQL advisory locks; the second is the number of the call."""


def quote(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"


class Writer(Protocol):
    """Lets one writer at a time at a call's results."""

    def holding(self, what: int) -> AbstractContextManager[bool]:
        """Hold `what` (a call's number, or 0 for the catalogue); whether another one had it before."""
        ...


class ProcessWriter:
    """Between the connections of this process; other processes are kept out by the DuckDB file's own lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def holding(self, what: int) -> Iterator[bool]:
        waited = not self._lock.acquire(blocking=False)
        if waited:
            self._lock.acquire()
        try:
            yield waited
        finally:
            self._lock.release()


class PostgresWriter:
    """Between all processes on a PostgreSQL store: advisory locks, which die with their holder."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def holding(self, what: int) -> Iterator[bool]:
        import psycopg

        with psycopg.connect(self._dsn, autocommit=True) as connection:
            key = [LOCK_SPACE, what]
            (free,) = connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", key).fetchone() or (False,)
            if not free:
                connection.execute("SELECT pg_advisory_lock(%s::int, %s::int)", key)
            yield not free


_WRITERS: dict[str, ProcessWriter] = {}
_WRITERS_LOCK = threading.Lock()


@dataclass
class Database:
    """An open target.

    Attributes:
        connection: the DuckDB connection everything runs on, also when rows live in PostgreSQL.
        target: what the user asked for.
        schema: qualified, quoted name of the schema with the store's tables.
        lock: held by whoever uses the connection.
        writer: held by whoever adds to a call's results.
    """

    connection: duckdb.DuckDBPyConnection
    target: str
    schema: str
    lock: threading.RLock = field(default_factory=threading.RLock)
    writer: Writer = field(default_factory=ProcessWriter)

    @property
    def is_postgres(self) -> bool:
        return isinstance(self.writer, PostgresWriter)

    def rows(self, sql: str, parameters: list[object] | None = None) -> list[tuple[object, ...]]:
        """All rows of a statement."""
        with self.lock:
            return self.connection.execute(sql, parameters).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Everything inside is written together or not at all."""
        with self.lock:
            self.connection.execute("BEGIN")
            try:
                yield self.connection
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def close(self) -> None:
        self.connection.close()


def open_database(target: str | Path) -> Database:
    """Open a DuckDB file, ``:memory:``, ``postgresql://…`` or a folder of Parquet files."""
    target = str(target)
    if re.match(r"postgres(ql)?://", target):
        return _open_postgres(target)
    if target != ":memory:" and Path(target).is_dir():
        return _open_folder(Path(target))
    return _open_file(target)


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        connection = duckdb.connect(path)
    except duckdb.IOException as error:
        raise SufficeError(_explain_io(path, str(error))) from None
    # A catalogue that grows while queries run must never be downloaded code: extensions come with pip.
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET enable_progress_bar = false")
    return connection


def _explain_io(path: str, message: str) -> str:
    owner = re.search(r"PID (\d+)", message)
    if "lock" in message.lower():
        who = f" (process {owner.group(1)})" if owner else ""
        advice = "a DuckDB file has one writer; wait for it, or share a PostgreSQL store"
        return f"{path} is open in another process{who}: {advice}"
    if "not a valid DuckDB database" in message:
        return f"{path} is not a DuckDB database file"
    if "connect to Postgres" in message:
        return f"cannot reach {path}: {message.rstrip().splitlines()[-1].strip()}"
    return f"cannot open {path}: {message.splitlines()[0]}"


def _open_file(path: str) -> Database:
    if path != ":memory:" and not Path(path).absolute().parent.is_dir():
        raise SufficeError(f"cannot open {path}: the folder {Path(path).absolute().parent} does not exist")
    connection = _connect(path)
    (name,) = connection.execute("SELECT current_catalog()").fetchone() or ("memory",)
    return _with_schema(connection, path, f"{quote(name)}.{STORE_SCHEMA}", _writer_of(path))


def _writer_of(path: str) -> ProcessWriter:
    """One lock for all connections of this process to one file."""
    if path == ":memory:":
        return ProcessWriter()
    with _WRITERS_LOCK:
        return _WRITERS.setdefault(str(Path(path).resolve()), ProcessWriter())


def _open_folder(folder: Path) -> Database:
    """Every ``*.parquet`` is a view named after the file; the store sits in ``.suffice/`` beside them."""
    connection = _connect(":memory:")
    for file in sorted(folder.glob("*.parquet")):
        connection.execute(f"CREATE VIEW {quote(file.stem)} AS FROM read_parquet({literal(str(file))})")
    (folder / ".suffice").mkdir(exist_ok=True)
    store = folder / ".suffice" / "store.duckdb"
    _attach(connection, f"ATTACH {literal(str(store))} AS store", str(store))
    return _with_schema(connection, str(folder), f"store.{STORE_SCHEMA}", _writer_of(str(store)))


def _open_postgres(dsn: str) -> Database:
    connection = _connect(":memory:")
    load_extension(connection, "postgres_scanner", extra="postgres")
    _attach(connection, f"ATTACH {literal(dsn)} AS store (TYPE postgres)", re.sub(r"://[^@/]*@", "://…@", dsn))
    connection.execute("USE store")
    if importlib.util.find_spec("psycopg") is None:
        raise SufficeError("a PostgreSQL target needs psycopg: pip install 'suffice[postgres]'")
    return _with_schema(connection, dsn, f"store.{STORE_SCHEMA}", PostgresWriter(dsn))


def load_extension(connection: duckdb.DuckDBPyConnection, name: str, *, extra: str) -> None:
    """Load a DuckDB extension from its PyPI package, so that nothing is fetched at run time."""
    try:
        package = importlib.resources.files(f"duckdb_extension_{name}")
    except ModuleNotFoundError:
        raise SufficeError(f"DuckDB's {name} extension is missing: pip install 'suffice[{extra}]'") from None
    (version,) = connection.execute("SELECT version()").fetchone() or ("",)
    file = package / "extensions" / version / f"{name}.duckdb_extension"
    connection.execute(f"LOAD {literal(str(file))}")


def _attach(connection: duckdb.DuckDBPyConnection, statement: str, name: str) -> None:
    import duckdb

    try:
        connection.execute(statement)
    except duckdb.Error as error:
        raise SufficeError(_explain_io(name, str(error))) from None


def _with_schema(connection: duckdb.DuckDBPyConnection, target: str, schema: str, writer: Writer) -> Database:
    database = Database(connection, target, schema, writer=writer)
    with writer.holding(0):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    return database
