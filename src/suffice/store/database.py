"""Where a target lives: opens DuckDB, attaches what the target names, and says where the store's tables are."""

from __future__ import annotations

import importlib.resources
import importlib.util
import math
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from suffice.errors import SufficeError, UsageError
from suffice.store.explained import interruptible, one_line
from suffice.store.lake import Lake, is_remote, open_lake

if TYPE_CHECKING:
    import duckdb
    import psycopg

    from suffice.store.clickhouse import ClickHouse

STORE_SCHEMA = "suffice"
LOCK_SPACE = 0x50FF1CE
"""First half of our PostgreSQL advisory locks; the second is the number of the call."""


def quote(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string."""
    return "'" + value.replace("'", "''") + "'"


_PLACEHOLDER = re.compile(r"\"[^\"]*\"|'[^']*'|\?")
"""A question mark, or a name or text that may hold one."""


def filled(sql: str, values: Sequence[object]) -> str:
    """`sql` with each ``?`` replaced by a value as SQL.

    DuckDB's own parameters make it import pandas where that is installed, to tell a value from a missing one; that
    takes longer than all else that a small question in a new process does.
    """
    given = iter(values)
    return _PLACEHOLDER.sub(lambda found: constant_sql(next(given)) if found.group() == "?" else found.group(), sql)


def constant_sql(value: object) -> str:
    """A text, number, truth value or None as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, float) and not math.isfinite(value):
        return f"'{value}'::DOUBLE"
    return str(value)


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
        connection, free = self._locked([LOCK_SPACE, what])
        try:
            yield not free
        finally:
            connection.close()

    def _locked(self, key: list[int]) -> tuple[psycopg.Connection[Any], bool]:
        """A session that has the lock, and whether it was free."""
        import psycopg

        try:
            connection = psycopg.connect(self._dsn, autocommit=True)
            try:
                (free,) = connection.execute("SELECT pg_try_advisory_lock(%s::int, %s::int)", key).fetchone() or (
                    False,
                )
                if not free:
                    connection.execute("SELECT pg_advisory_lock(%s::int, %s::int)", key)
            except BaseException:
                connection.close()
                raise
        except psycopg.Error as error:
            raise SufficeError(f"lost {without_password(self._dsn)}: {one_line(error)}") from None
        return connection, bool(free)


_WRITERS: dict[str, ProcessWriter] = {}
_WRITERS_LOCK = threading.Lock()


@dataclass
class Database:
    """An open target.

    Attributes:
        connection: the DuckDB connection everything runs on, also when rows live in PostgreSQL.
        target: what the user asked for.
        schema: qualified, quoted name of the schema with the store's tables.
        file: the DuckDB file that this schema is in; empty for none.
        lock: held by whoever uses the connection.
        writer: held by whoever adds to a call's results.
        lake: the tables in files, for a folder or an object store.
        clickhouse: where the tables are, for a ``chdb://`` target; DuckDB then reads them as streams.
        changes: statements of this session that may have given words another meaning, or begun a transaction.
        is_lent: whether its connection was handed out, so that nobody knows what was run on it.
        session: what was found of it, and when; for whoever looks.
    """

    connection: duckdb.DuckDBPyConnection
    target: str
    schema: str
    file: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    writer: Writer = field(default_factory=ProcessWriter)
    clickhouse: ClickHouse | None = None
    lake: Lake | None = None
    changes: int = 0
    is_lent: bool = False
    session: tuple[object, Any] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the store outlives the connection."""
        return self.target != ":memory:" and (self.lake is None or self.lake.filesystem is None)

    @property
    def is_postgres(self) -> bool:
        return isinstance(self.writer, PostgresWriter)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Another connection to the same tables, for a transaction of its own."""
        cursor = self.connection.cursor()
        if self.is_postgres:
            cursor.execute("USE store")
        if self.clickhouse is not None:
            self.clickhouse.show(cursor)
        return cursor

    def rows(self, sql: str, parameters: list[object] | None = None) -> list[tuple[object, ...]]:
        """All rows of a statement; each ``?`` in it is one of `parameters`."""
        with self.lock, interruptible():
            return self.connection.execute(filled(sql, parameters) if parameters else sql).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Everything inside is written together or not at all."""
        import duckdb

        with self.lock, interruptible():
            try:
                self.connection.execute("BEGIN")
            except duckdb.TransactionException:
                raise UsageError("results cannot be kept inside a BEGIN of yours: COMMIT or ROLLBACK first") from None
            try:
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        import duckdb

        with suppress(duckdb.Error):  # a COMMIT that failed has rolled back already
            self.connection.execute("ROLLBACK")
        if self.is_postgres:  # DuckDB remembers tables that the rollback undid
            self.connection.execute("CALL pg_clear_cache()")

    def confine(self, roots: Sequence[str]) -> None:
        """Let SQL read and write files below `roots` only; what is open stays open. It cannot be undone.

        Raises:
            SufficeError: another connection of this process has the file open and is not so confined.
        """
        import duckdb

        local = [root for root in map(os.path.expanduser, roots) if "://" not in root]
        folders = sorted(
            {each.rstrip("/") + "/" for root in local for each in (os.path.abspath(root), os.path.realpath(root))}
        )
        if self.lake is not None and self.lake.filesystem is not None:
            folders.append(self.lake.place + "/")
        if self.file:
            folders.append(f"{heads_folder(self.file)}/")
        try:
            self.connection.execute(f"SET allowed_directories = [{', '.join(map(literal, folders))}]")
            self.connection.execute("SET enable_external_access = false")
        except duckdb.Error:
            ((now, spill),) = self.rows(
                "SELECT current_setting('allowed_directories'), current_setting('temp_directory')"
            )
            if {*map(str, now)} - {f"{os.path.abspath(str(spill))}/"} != {*folders}:  # type: ignore[call-overload]
                raise SufficeError(f"{self.shown_target} is open in this process already, with other roots") from None

    @property
    def shown_target(self) -> str:
        """The target for people to read."""
        return without_password(self.target)

    def close(self) -> None:
        self.connection.close()
        if self.clickhouse is not None:
            self.clickhouse.close()


def heads_folder(file: str) -> str:
    """Where the heads of the scrambles in a DuckDB file lie: rows of it, see :mod:`suffice.tables.head`."""
    return f"{file}.heads"


def without_password(dsn: str) -> str:
    """`dsn` with what may be secret in it left out."""
    return re.sub(r"(\bpassword=)[^&\s]*", r"\1…", re.sub(r"://[^?]*@", "://…@", dsn))


def open_database(target: str | Path) -> Database:
    """Open a DuckDB file, ``:memory:``, ``postgresql://…``, ``chdb://…`` or a folder of tables in files."""
    target = str(target)
    if target.startswith("chdb://"):
        return _open_chdb(target)
    if re.match(r"postgres(ql)?://", target):
        return _open_postgres(target)
    if target != ":memory:" and (is_remote(target) or Path(target).is_dir()):
        return _open_lake(target)
    return _open_file(target)


def _connect(path: str) -> duckdb.DuckDBPyConnection:
    import duckdb

    try:
        connection = duckdb.connect(path)
    except duckdb.IOException as error:
        raise SufficeError(_explain_io(path, one_line(error))) from None
    # A catalogue that grows while queries run must never be downloaded code: extensions come with pip.
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET enable_progress_bar = false")
    return connection


def _explain_io(path: str, message: str) -> str:
    owner = re.search(r"PID (\d+)", message)
    if "Could not set lock" in message:
        who = f" (process {owner.group(1)})" if owner else ""
        advice = "a DuckDB file has one writer; wait for it, or share a PostgreSQL store"
        return f"{path} is open in another process{who}: {advice}"
    if "already attached" in message:
        return f"{path} is open in this process already: use that connection"
    if "not a valid DuckDB database" in message:
        return f"{path} is not a DuckDB database file"
    if "connect to Postgres" in message:
        return f"cannot reach {path}: {message.rpartition(' failed: ')[2]}"
    return f"cannot open {path}: {message}"


def _open_file(path: str) -> Database:
    if path != ":memory:" and not Path(path).absolute().parent.is_dir():
        raise SufficeError(f"cannot open {path}: the folder {Path(path).absolute().parent} does not exist")
    connection = _connect(path)
    connection.execute("SET prefetch_all_parquet_files = true")  # of the heads of scrambles, beside the file
    (name,) = connection.execute("SELECT current_catalog()").fetchone() or ("memory",)
    file = "" if path == ":memory:" else os.path.realpath(path)
    return Database(connection, path, f"{quote(name)}.{STORE_SCHEMA}", file, writer=_writer_of(path))


def _writer_of(path: str) -> ProcessWriter:
    """One lock for all connections of this process to one file."""
    if path == ":memory:":
        return ProcessWriter()
    with _WRITERS_LOCK:
        return _WRITERS.setdefault(str(Path(path).resolve()), ProcessWriter())


def _open_lake(target: str) -> Database:
    """Tables in files are views; the store sits in ``.suffice/`` beside them, that of an object store in memory."""
    lake = open_lake(target)
    connection = _connect(":memory:")
    lake.show(connection)
    if lake.filesystem is None:
        database = _beside(connection, target, Path(target))
    else:
        database = Database(connection, target, f"{quote('memory')}.{STORE_SCHEMA}", writer=ProcessWriter())
    database.lake = lake
    return database


def _open_chdb(target: str) -> Database:
    """Tables are ClickHouse's; the store sits in ``.suffice/`` of its folder."""
    from suffice.store.clickhouse import open_clickhouse

    clickhouse = open_clickhouse(target)
    connection = _connect(":memory:")
    clickhouse.show(connection)
    database = _beside(connection, target, Path(clickhouse.path))
    database.clickhouse = clickhouse
    return database


def _beside(connection: duckdb.DuckDBPyConnection, target: str, folder: Path) -> Database:
    """With a store in ``.suffice/`` of `folder`."""
    (folder / ".suffice").mkdir(exist_ok=True)
    store = folder / ".suffice" / "store.duckdb"
    _attach(connection, f"ATTACH {literal(str(store))} AS store", str(store))
    return Database(connection, target, f"store.{STORE_SCHEMA}", os.path.realpath(store), writer=_writer_of(str(store)))


def _open_postgres(dsn: str) -> Database:
    connection = _connect(":memory:")
    load_extension(connection, "postgres_scanner", extra="postgres")
    _attach(connection, f"ATTACH {literal(dsn)} AS store (TYPE postgres)", without_password(dsn))
    connection.execute("USE store")
    if importlib.util.find_spec("psycopg") is None:
        raise SufficeError("a PostgreSQL target needs psycopg: pip install 'suffice[postgres]'")
    return Database(connection, dsn, f"store.{STORE_SCHEMA}", writer=PostgresWriter(dsn))


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
        raise SufficeError(_explain_io(name, without_password(one_line(error)))) from None
