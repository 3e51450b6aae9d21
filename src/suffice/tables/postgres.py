"""PostgreSQL tables: blocks are its 8 KiB pages, drawn by ``TABLESAMPLE SYSTEM … REPEATABLE``, which reads no others.

PostgreSQL keeps no bounds on column values, and pages may hold dead rows only. So a table is profiled once, by one full
scan (:meth:`PostgresEngine.profile`); the profile counts until the table's counters of written rows move.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import sqlglot

from suffice.errors import SufficeError
from suffice.tables.source import BLOCK, DRAWN, Drawn, UnreadableLayoutError

_PAGE = "(ctid::text::point)[0]::bigint"
_ROWS_PER_PAGE_MAX = 291  # (8192 - 24) / 28: page header, line pointer and the smallest tuple

_NUMBERS = {"int2", "int4", "int8", "float4", "float8", "numeric", "bool", "date"}
_TYPES: dict[str, tuple[str, pa.DataType]] = {  # PostgreSQL -> DuckDB, Arrow
    "bool": ("BOOLEAN", pa.bool_()),
    "int2": ("SMALLINT", pa.int16()),
    "int4": ("INTEGER", pa.int32()),
    "int8": ("BIGINT", pa.int64()),
    "float4": ("FLOAT", pa.float32()),
    "float8": ("DOUBLE", pa.float64()),
    "numeric": ("DECIMAL(38, 10)", pa.decimal128(38, 10)),
    "date": ("DATE", pa.date32()),
    "timestamp": ("TIMESTAMP", pa.timestamp("us")),
    "timestamptz": ("TIMESTAMPTZ", pa.timestamp("us", "UTC")),
}

Profile = dict[str, Any]
"""What a full scan learnt: ``state`` (the counters), ``rows``, ``pages`` (with visible rows), ``ranges`` by column."""


@dataclass
class PostgresTable:
    """A profiled table. Attributes as in :class:`suffice.tables.source.BlockSource`."""

    engine: PostgresEngine
    name_sql: str
    profile: Profile
    rows_per_block_max: int = _ROWS_PER_PAGE_MAX
    pilot_blocks: int = 300
    share_max: float = 0.2

    @property
    def rows(self) -> int:
        return int(self.profile["rows"])

    @property
    def blocks(self) -> int:
        return int(self.profile["pages"])

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the profile rests on."""
        return ("PostgreSQL's counters of written rows are up to date, so its profile of the table still holds",)

    def coarser(self, factor: int) -> PostgresTable:
        """Pages stay as they are."""
        return self

    def draw(self, share: float, seed: int, columns: list[str]) -> Drawn:
        """See :meth:`suffice.tables.source.BlockSource.draw`."""
        sample = f"{self.name_sql} TABLESAMPLE SYSTEM ({100 * min(share, 1.0)!r}) REPEATABLE ({seed})"
        relation = f"(SELECT *, {_PAGE} AS {BLOCK}, 0 AS {DRAWN} FROM {sample})"
        rows = self.engine.rows(f"SELECT {_PAGE} AS page, count(*) FROM {sample} GROUP BY 1 ORDER BY 1")
        pages, counts = zip(*rows, strict=True) if rows else ((), ())
        return Drawn(relation, np.array(pages, np.int64), np.array(counts, np.int64))

    def column_range(self, column: str) -> tuple[float, float] | None:
        """See :meth:`suffice.tables.source.BlockSource.column_range`."""
        found = self.profile["ranges"].get(column)
        return (float(found[0]), float(found[1])) if found else None


@dataclass
class PostgresEngine:
    """Runs sampled queries on a psycopg connection.

    Attributes:
        connection: a ``psycopg.Connection``.
        profiles: where profiles are kept, by table name; hand in a persistent mapping to keep them.
    """

    connection: Any
    profiles: MutableMapping[str, Profile] = field(default_factory=dict)
    dialect: str = "postgres"

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """See :class:`suffice.answer.table_engine.TableEngine`."""
        import psycopg

        return (psycopg.Error,)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        import psycopg

        try:
            return list(self.connection.execute(sql).fetchall())
        except psycopg.errors.InsufficientPrivilege as error:
            raise SufficeError(f"PostgreSQL: {str(error).splitlines()[0]}; ask for GRANT SELECT") from error

    def execute(self, sql: str) -> pa.Table:
        """Run a query; NUMERIC comes with ten decimals."""
        rows = self.rows(sql)
        names, types = self._description(sql)
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        arrays = [_array(list(c), t) for c, t in zip(columns, types, strict=True)]
        return pa.Table.from_arrays(arrays, names=names)

    def describe(self, sql: str) -> tuple[list[str], list[str]]:
        """(names, DuckDB types) of the columns of a query, without running it."""
        names, types = self._description(sql)
        return names, [_TYPES[t][0] if t in _TYPES else "VARCHAR" for t in types]

    def _description(self, sql: str) -> tuple[list[str], list[str]]:
        cursor = self.connection.execute(f"SELECT * FROM ({sql}) AS described LIMIT 0")
        names = [c.name for c in cursor.description]
        registry = self.connection.adapters.types
        return names, [t.name if (t := registry.get(c.type_code)) else "text" for c in cursor.description]

    def columns(self, name_sql: str) -> list[str]:
        """Column names of a table."""
        return self._description(f"SELECT * FROM {name_sql}")[0]

    def view_sql(self, name_sql: str) -> str | None:
        """The SELECT behind a view, None for anything else."""
        kind = self.rows(f"SELECT relkind::text FROM pg_class WHERE oid = {_regclass(name_sql)}")
        if not kind or kind[0][0] != "v":
            return None
        return str(self.rows(f"SELECT pg_get_viewdef({_regclass(name_sql)})")[0][0]).rstrip("; ")

    def source(self, name_sql: str) -> PostgresTable:
        """The table, when it is profiled and unchanged since."""
        known = self.profiles.get(name_sql)
        if known is None:
            raise UnreadableLayoutError(f"PostgreSQL keeps no bounds for {name_sql}: profile it once to sample it")
        if known["state"] != self._state(name_sql):
            raise UnreadableLayoutError(f"{name_sql} was written to after it was profiled")
        return PostgresTable(self, name_sql, known)

    def profile(self, name_sql: str) -> Profile:
        """Scan a table once and keep its row count, pages and column ranges; returns them."""
        names, types = self._description(f"SELECT * FROM {name_sql}")
        numeric = [(n, t) for n, t in zip(names, types, strict=True) if t in _NUMBERS]
        quoted = [sqlglot.exp.to_identifier(n, quoted=True).sql("postgres") for n, _ in numeric]
        ends = [
            f"{end}({_as_number(q, t)})" for q, (_, t) in zip(quoted, numeric, strict=True) for end in ("min", "max")
        ]
        with self.snapshot():
            state = self._state(name_sql)
            found = self.rows(f"SELECT {', '.join(['count(*)', f'count(DISTINCT {_PAGE})', *ends])} FROM {name_sql}")[0]
        pairs = zip(found[2::2], found[3::2], strict=True)
        ranges = {n: _finite_range(*pair) for (n, _), pair in zip(numeric, pairs, strict=True)}
        self.profiles[name_sql] = {"state": state, "rows": found[0], "pages": found[1], "ranges": ranges}
        return self.profiles[name_sql]

    def _state(self, name_sql: str) -> list[int]:
        oid = _regclass(name_sql)
        written = "n_tup_ins, n_tup_upd, n_tup_del"
        self.rows("SELECT pg_stat_clear_snapshot()")
        found = self.rows(
            f"SELECT pg_relation_filenode({oid})::bigint, pg_relation_size({oid}), {written} "
            f"FROM pg_stat_all_tables WHERE relid = {oid}"
        )
        return [int(x) for x in found[0]]

    def key_rows_max(self, name_sql: str, columns: tuple[str, ...]) -> int:
        """The most rows with equal values in `columns`."""
        if not columns:
            return int(self.rows(f"SELECT count(*) FROM {name_sql}")[0][0])
        key = ", ".join(sqlglot.exp.to_identifier(c, quoted=True).sql("postgres") for c in columns)
        distinct = f"SELECT count(*) AS n FROM {name_sql} GROUP BY {key}"
        return int(self.rows(f"SELECT coalesce(max(n), 0) FROM ({distinct}) AS counted")[0][0])

    def compose(self, sql: str, name: str, estimates: pa.Table) -> pa.Table:
        """Run DuckDB SQL over `estimates` under `name`, here."""
        import duckdb

        with duckdb.connect() as local:
            local.register(name, estimates)
            return local.execute(sql).to_arrow_table()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the database for all queries inside, unless the caller has a transaction open."""
        from psycopg.pq import TransactionStatus

        if self.connection.info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        with self.connection.transaction():
            self.connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield


def _regclass(name_sql: str) -> str:
    return "'" + name_sql.replace("'", "''") + "'::regclass"


def _as_number(quoted: str, type_name: str) -> str:
    if type_name == "date":
        return f"({quoted} - DATE '0001-01-01' + 1)::float8"
    return f"{quoted}::int" if type_name == "bool" else quoted


def _finite_range(low: Any, high: Any) -> tuple[float, float] | None:
    if low is None or not (np.isfinite(float(low)) and np.isfinite(float(high))):
        return None
    return float(low), float(high)


def _array(values: list[Any], type_name: str) -> pa.Array:
    if type_name == "numeric":
        return pa.array([None if v is None else round(v, 10) for v in values], pa.decimal256(76, 10)).cast(
            _TYPES["numeric"][1]
        )
    known = _TYPES.get(type_name)
    return (
        pa.array(values, known[1]) if known else pa.array([None if v is None else str(v) for v in values], pa.string())
    )
