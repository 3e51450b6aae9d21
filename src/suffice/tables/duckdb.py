"""DuckDB's own tables: blocks are its vectors of 2048 rows, drawn by ``TABLESAMPLE SYSTEM``.

SYSTEM is pushed into the scan (1.2 and later), so vectors not drawn are not decoded. Two things it lacks are added
here:

* *Repeatable on any number of threads.* Each thread draws for itself, so even REPEATABLE gives other rows with other
  threads. ``row_number() OVER ()`` above the scan needs the rows in order, which makes this one pipeline run on one
  thread; a filter cannot slip below it either, so no index or zone map changes what is drawn.
* *Known numbers of blocks.* Where the vectors lie follows from the sizes of the row groups.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import sqlglot

from suffice.tables.parquet import ParquetTable, parquet_pattern
from suffice.tables.source import BLOCK, DRAWN, BlockSource, Drawn, UnreadableLayoutError

VECTOR = 2048
_LOCAL_ROWS = 1 << 50  # rows of an uncommitted transaction have ids above this
_RUNS_MAX = 64


@dataclass
class DuckDBTable:
    """A base table of an open connection, as the current transaction sees it.

    Attributes:
        connection: the connection; the caller holds a transaction open if several draws must see one state.
        name_sql: the table's name, qualified and quoted as SQL.
        may_hold_local_rows: whether the transaction may have written.
    """

    connection: duckdb.DuckDBPyConnection
    name_sql: str
    may_hold_local_rows: bool = True
    rows: int = 0
    blocks: int = 0
    rows_per_block_max: int = VECTOR
    share_max: float = 0.3
    assumptions: tuple[str, ...] = ()
    _block_sql: str = f"rowid // {VECTOR}"
    _ranges: dict[str, tuple[float, float] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = self._number(f"SELECT count(*) FROM {self.name_sql}")
        self.blocks = math.ceil(self.rows / VECTOR)
        if self.may_hold_local_rows and self._number(f"SELECT max(rowid) FROM {self.name_sql}") >= _LOCAL_ROWS:
            raise UnreadableLayoutError("the table has rows that this transaction has not committed")
        if self._stored_rows() != self.rows:
            self._read_layout()

    @property
    def pilot_blocks(self) -> int:
        """See :class:`suffice.tables.source.BlockSource`."""
        return min(max(100, self.blocks // 30), 200)

    def _number(self, sql: str) -> int:
        return int(self.connection.execute(sql).fetchall()[0][0] or 0)

    def _stored_rows(self) -> int | None:
        """Rows including deleted ones, from the catalogue; None when the name is not unique there."""
        parts = [p.name for p in sqlglot.to_table(self.name_sql, dialect="duckdb").parts]
        found = self.connection.execute(_STORED_ROWS, [parts[-1]]).fetchall()
        sizes = [size for *names, size in found if all(p in names for p in parts[:-1])]
        return sizes[0] if len(sizes) == 1 else None

    def coarser(self, factor: int) -> DuckDBTable:
        """Vectors are coarse enough."""
        return self

    def draw(self, share: float, seed: int, columns: list[str]) -> Drawn:
        """See :meth:`suffice.tables.source.BlockSource.draw`."""
        drawn = self._draw(share, seed)
        if not self._is_aligned(drawn):
            self._read_layout()
            drawn = self._draw(share, seed)
        return drawn

    def _draw(self, share: float, seed: int) -> Drawn:
        relation = (
            f"(SELECT *, {self._block_sql} AS {BLOCK}, row_number() OVER () AS {DRAWN} FROM {self.name_sql} "
            f"TABLESAMPLE SYSTEM ({100 * min(share, 1.0)!r} PERCENT) REPEATABLE ({seed % 2**31}))"
        )
        counts = self.connection.execute(
            f"SELECT {BLOCK} AS block, count(*) AS n, max({DRAWN}) AS drawn FROM {relation} GROUP BY 1 ORDER BY 1"
        ).fetchnumpy()
        return Drawn(relation, np.asarray(counts["block"], np.int64), np.asarray(counts["n"], np.int64))

    def _is_aligned(self, drawn: Drawn) -> bool:
        """Whether the drawn blocks are full, as they are when every row group but the last is."""
        if self._block_sql != f"rowid // {VECTOR}":
            return True
        last = self.rows - (self.blocks - 1) * VECTOR
        expected: npt.NDArray[np.int64] = np.where(drawn.blocks == self.blocks - 1, last, VECTOR)
        return bool(np.array_equal(drawn.rows, expected))

    def _read_layout(self) -> None:
        """Find where vectors start, from the sizes of row groups; count those with visible rows after deletes."""
        sizes = [n for (n,) in self.connection.execute(_ROW_GROUP_SIZES, [self.name_sql]).fetchall()]
        self._block_sql, vectors = _block_expression(sizes)
        self.blocks = vectors
        if sum(sizes) != self.rows:
            distinct = f"SELECT count(*) FROM (SELECT {self._block_sql} FROM {self.name_sql} GROUP BY 1)"
            self.blocks = self._number(distinct)

    def column_range(self, column: str) -> tuple[float, float] | None:
        """See :meth:`suffice.tables.source.BlockSource.column_range`.

        Table statistics only ever widen until they are rebuilt, so deletes and updates keep them sound; inside a
        transaction with rows of its own they are unknown, and NULL is reported.
        """
        if column not in self._ranges:
            quoted = '"' + column.replace('"', '""') + '"'
            found = self.connection.execute(
                f"SELECT stats({quoted}), typeof({quoted}) FROM {self.name_sql} LIMIT 1"
            ).fetchone()
            self._ranges[column] = _parse_range(found[0], found[1]) if found else None
        return self._ranges[column]


_STORED_ROWS = "SELECT database_name, schema_name, estimated_size FROM duckdb_tables() WHERE table_name = ?"

_VIEWS = "SELECT database_name, schema_name, sql FROM duckdb_views() WHERE view_name = ? AND NOT internal"

_ROW_GROUP_SIZES = """
    SELECT max(n)::BIGINT FROM (
        SELECT row_group_id, sum(count) AS n FROM pragma_storage_info(?)
        WHERE column_path = '[' || column_id || ']' GROUP BY row_group_id, column_id)
    GROUP BY row_group_id ORDER BY row_group_id
"""


def _block_expression(row_group_sizes: list[int]) -> tuple[str, int]:
    """(SQL that numbers the vectors 0, 1, …, number of vectors); a new run starts after each part-filled vector."""
    starts, row, vector = [(0, 0)], 0, 0
    for size in row_group_sizes:
        row, vector = row + size, vector + math.ceil(size / VECTOR)
        if size % VECTOR:
            starts.append((row, vector))
    if len(starts) > _RUNS_MAX:
        raise UnreadableLayoutError(
            f"the table is stored in {len(starts)} unaligned pieces; rewrite it (CREATE TABLE … AS)"
        )
    branches = [f"WHEN rowid >= {row} THEN {vector} + (rowid - {row}) // {VECTOR}" for row, vector in reversed(starts)]
    return f"CASE {' '.join(branches)} END", vector


_STATS = re.compile(r"\[Min: (\S+), Max: ([^\]\s,]+)\]")
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))")


def _parse_range(stats: str, type_name: str) -> tuple[float, float] | None:
    match = _STATS.match(stats)
    if match is None or "NULL" in match.groups():
        return None
    if type_name == "DATE":
        low, high = (float(date.fromisoformat(m).toordinal()) for m in match.groups())
    elif type_name == "BOOLEAN":
        low, high = (float(m == "true") for m in match.groups())
    elif _NUMERIC.fullmatch(type_name):
        low, high = map(float, match.groups())
        if type_name == "FLOAT":  # printed with the fewest digits that name it, which may be a little inside
            low, high = low - abs(low) * 1e-6, high + abs(high) * 1e-6
    else:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


@dataclass
class DuckDBEngine:
    """Runs sampled queries on a DuckDB connection."""

    connection: duckdb.DuckDBPyConnection
    dialect: str = "duckdb"
    errors: tuple[type[Exception], ...] = (duckdb.Error,)
    may_hold_local_rows: bool = True
    _parquet: list[ParquetTable] = field(default_factory=list)

    def execute(self, sql: str) -> pa.Table:
        """Run a query."""
        return self.connection.execute(sql).to_arrow_table()

    def describe(self, sql: str) -> tuple[list[str], list[str]]:
        """(names, DuckDB types) of the columns of a query."""
        rows = self.connection.execute(f"DESCRIBE {sql}").fetchall()
        return [r[0] for r in rows], [r[1] for r in rows]

    def columns(self, name_sql: str) -> list[str]:
        """Column names of a table."""
        return self.describe(f"SELECT * FROM {name_sql}")[0]

    def view_sql(self, name_sql: str) -> str | None:
        """The SELECT behind a view of the current schema, None for anything else."""
        if parquet_pattern(name_sql):
            return None
        parts = [p.name for p in sqlglot.to_table(name_sql, dialect="duckdb").parts]
        found = self.connection.execute(_VIEWS, [parts[-1]]).fetchall()
        texts = [text for *names, text in found if all(p in names for p in parts[:-1])]
        return texts[0] if len(texts) == 1 else None

    def source(self, name_sql: str) -> BlockSource:
        """The table to sample; raises :class:`UnreadableLayoutError` when its blocks cannot be told apart."""
        from suffice.tables.scramble import fresh_scramble

        try:
            if pattern := parquet_pattern(name_sql):
                self._parquet.append(ParquetTable(self.connection, pattern))
                return self._parquet[-1]
            if not self.may_hold_local_rows and (scrambled := fresh_scramble(self.connection, name_sql)):
                return scrambled
            return DuckDBTable(self.connection, name_sql, self.may_hold_local_rows)
        except (duckdb.BinderException, duckdb.CatalogException) as error:
            raise UnreadableLayoutError(f"{name_sql} is not a stored table") from error

    def key_rows_max(self, name_sql: str, columns: tuple[str, ...]) -> int:
        """The most rows with equal values in `columns`."""
        if not columns:
            return int(self.connection.execute(f"SELECT count(*) FROM {name_sql}").fetchall()[0][0])
        key = ", ".join('"' + c.replace('"', '""') + '"' for c in columns)
        distinct = f"SELECT count(*) AS n FROM {name_sql} GROUP BY {key}"
        return int(self.connection.execute(f"SELECT coalesce(max(n), 0) FROM ({distinct})").fetchall()[0][0])

    def compose(self, sql: str, name: str, estimates: pa.Table) -> pa.Table:
        """Run a query over `estimates` under `name`."""
        self.connection.register(name, estimates)
        try:
            return self.execute(sql)
        finally:
            self.connection.unregister(name)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """One state of the database for all queries inside: a transaction, unless the caller has one open."""
        self.may_hold_local_rows = not self._begin()
        try:
            yield
        finally:
            for table in self._parquet:
                table.close()
            self._parquet.clear()
            if not self.may_hold_local_rows:
                self.connection.rollback()
            self.may_hold_local_rows = True

    def _begin(self) -> bool:
        """Open a transaction unless one is; asking DuckDB to open a second would abort the first."""
        first, second = (self.connection.execute("SELECT txid_current()").fetchall() for _ in range(2))
        if first == second:
            return False
        self.connection.begin()
        return True
