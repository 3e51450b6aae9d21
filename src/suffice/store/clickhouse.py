"""Tables of a ClickHouse folder (``chdb://…``), seen by DuckDB as streams of the columns that a statement names.

ClickHouse runs inside this process (the ``chdb`` package). Rows come as Arrow, so every expression means what it means
in DuckDB: nothing is translated, and no answer depends on where two dialects differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from suffice.errors import SufficeError
from suffice.store.explained import one_line

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_SEEN_AS_THEY_ARE = re.compile(
    r"U?Int(8|16|32|64)|Float(32|64)|Bool|String|UUID|Date(32)?|Decimal\(([1-9]|[12]\d|3[0-8]), \d+\)"
    r"|Decimal(32|64|128)\(\d+\)"
)
_MOMENT = re.compile(r"DateTime(64)?\b.*")
_WRAPPED = re.compile(r"(?:Nullable|LowCardinality|Array)\((.*)\)")


def selected(columns: Mapping[str, str], names: Iterable[str]) -> str:
    """SELECT of some `columns` of :meth:`ClickHouse.columns`, without FROM."""
    return "SELECT " + ", ".join([f"{columns[n]} AS {name_sql(n)}" for n in names] or ["1 AS `1`"])


def name_sql(name: str) -> str:
    """`name` as a quoted ClickHouse identifier."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def text_sql(value: str) -> str:
    """`value` as a ClickHouse string."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


@dataclass
class ClickHouse:
    """One folder of ClickHouse, and one database in it.

    Attributes:
        database: whose tables are shown.
    """

    path: str
    database: str
    _connections: list[Any] = field(default_factory=list)
    _shown: dict[tuple[str, tuple[tuple[str, str], ...]], Any] = field(default_factory=dict)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of ClickHouse SQL, small ones."""
        table = self.table(sql)
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def table(self, sql: str) -> pa.Table:
        """The result of ClickHouse SQL as Arrow."""
        import pyarrow as pa

        return pa.ipc.open_stream(self._main().query(sql, "ArrowStream").bytes()).read_all()

    def run(self, sql: str) -> None:
        """A ClickHouse statement without a result."""
        self._main().query(sql)

    def columns(self) -> dict[str, dict[str, str]]:
        """By table: its columns and, for each, the ClickHouse expression that DuckDB understands the values of."""
        found = self.rows(
            "SELECT table, name, type FROM system.columns JOIN system.tables AS t ON table = t.name AND"
            f" database = t.database WHERE database = {text_sql(self.database)} AND NOT t.is_temporary"
            " ORDER BY table, position"
        )
        tables: dict[str, dict[str, str]] = {}
        for table, name, kind in found:
            if not table.startswith(".inner"):
                tables.setdefault(table, {})[name] = _read_as(name_sql(name), kind)
        return tables

    def named(self, name: str) -> str:
        """The table that DuckDB finds under `name`, whatever its case."""
        return next((table for table in self.columns() if table.lower() == name.lower()), name)

    def where(self, table: str) -> str:
        """A table of ours as ClickHouse SQL."""
        return f"{name_sql(self.database)}.{name_sql(table)}"

    def stream(self, sql: str) -> pa.RecordBatchReader:
        """The result of ClickHouse SQL, batch by batch, on a connection of its own; as many at once as one likes."""
        import pyarrow as pa

        schema = self.table(f"SELECT * FROM ({sql}) LIMIT 0").schema
        connection = _connect(self.path)

        def batches() -> Iterable[pa.RecordBatch]:
            try:
                for batch in connection.send_query(sql, "Arrow").record_batch(122_880):
                    yield from pa.Table.from_batches([batch]).cast(schema).to_batches()
            finally:
                connection.close()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def show(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make the tables views of a DuckDB connection; each scan reads only the columns it needs.

        Raises:
            SufficeError: two tables have names that DuckDB takes for one.
        """
        from suffice.store.lazy_table import lazy_table

        named: dict[str, str] = {}
        for name, columns in self.columns().items():
            if (other := named.setdefault(name.lower(), name)) != name:
                raise SufficeError(
                    f"{self.path}: tables {other} and {name} differ only in case, which SQL here ignores"
                )
            key = name, tuple(columns.items())
            if key not in self._shown:
                self._shown[key] = lazy_table(self, name, columns)
            connection.register(name, self._shown[key])

    def close(self) -> None:
        while self._connections:
            self._connections.pop().close()

    def _main(self) -> Any:
        if not self._connections:
            self._connections.append(_connect(self.path))
        return self._connections[0]


def open_clickhouse(target: str) -> ClickHouse:
    """``chdb:///folder`` or ``chdb:///folder?database=name``.

    Raises:
        SufficeError: chdb is missing, another folder is open in this process, or there is no such database.
    """
    path, _, options = target.removeprefix("chdb://").partition("?")
    name = parse_qs(options).get("database", ["default"])[0]
    if not path:
        raise SufficeError("chdb:// needs a folder: chdb:///var/lib/clickhouse")
    opened = ClickHouse(path, name)
    databases = {found for (found,) in opened.rows("SELECT name FROM system.databases")}
    if name not in databases:
        opened.close()
        raise SufficeError(f"{path} has no database {name!r}; it has {', '.join(sorted(databases))}")
    return opened


def _connect(path: str) -> Any:
    try:
        from chdb.state.sqlitelike import Connection
    except ModuleNotFoundError:
        raise SufficeError("ClickHouse tables need chdb: pip install 'suffice[clickhouse]'") from None
    try:
        return Connection(path)
    except RuntimeError as error:
        raise SufficeError(_cannot_open(path, one_line(error))) from None


def _cannot_open(path: str, message: str) -> str:
    if other := re.search(r"already initialized with path '([^']*)'", message):
        return f"cannot open {path}: ClickHouse has one folder a process, and {other.group(1)} is open here"
    if "Error initializing" in message:  # ClickHouse prints why itself
        return f"{path} cannot be opened, probably because another process has it open: there is room for one"
    return f"cannot open {path}: {message}"


def _read_as(column: str, kind: str) -> str:
    """The expression that brings a column of a type to DuckDB: moments as wall-clock time, what has no Arrow type that
    DuckDB reads as text."""
    inner = kind
    while (found := _WRAPPED.fullmatch(inner)) is not None:
        inner = found.group(1)
    if _SEEN_AS_THEY_ARE.fullmatch(inner):
        return column
    if _MOMENT.fullmatch(inner) and "Array(" not in kind:
        return f"toDateTime64(formatDateTime(toDateTime64({column}, 6), '%F %T.%f'), 6, 'UTC')"
    return f"toString({column})"
