"""A copy of a table in random order, so that any run of consecutive rows is a random sample.

Rows are ordered by a hash of their row id and numbered (``sid``). A range of numbers is pruned by zone maps, so
reading 1% of the rows reads 1% of the bytes; rows are drawn one by one in effect, so bounds are far tighter than over
stored blocks; and every query shares the copy. A copy is used only while its table is unchanged, see
:func:`fingerprint`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

import duckdb
import numpy as np
import sqlglot

from suffice.errors import SufficeError
from suffice.tables.duckdb import DuckDBTable
from suffice.tables.source import BLOCK, DRAWN, Drawn

SCHEMA = "suffice_scrambles"
SID = "__sid"
_ALIGNED = 1024
"""Rows; every run starts and ends at a multiple, so that runs counted in coarser blocks still fit."""

_CATALOGUE = f"{SCHEMA}.catalogue"


@dataclass
class ScrambledTable:
    """The fresh copy of a table; a block is `rows_per_block_max` consecutive rows of it."""

    connection: duckdb.DuckDBPyConnection
    name_sql: str
    rows: int
    rows_per_block_max: int = 1
    blocks: int = field(init=False)
    pilot_blocks: int = _ALIGNED * 20
    share_max: float = 0.4
    assumptions: tuple[str, ...] = (
        "the hash of the row id that ordered the scramble has nothing to do with the values",
    )

    def __post_init__(self) -> None:
        self.blocks = -(-self.rows // self.rows_per_block_max)
        self._statistics = DuckDBTable(self.connection, self.name_sql, may_hold_local_rows=False)

    def coarser(self, factor: int) -> ScrambledTable:
        """See :meth:`BlockSource.coarser`."""
        return replace(self, rows_per_block_max=min(factor * self.rows_per_block_max, _ALIGNED))

    def draw(self, share: float, seed: int, columns: list[str]) -> Drawn:
        """A run of blocks that starts at a place given by `seed` (see :meth:`BlockSource.draw`)."""
        aligned = -(-self.rows // _ALIGNED)
        count = min(aligned, max(1, round(share * aligned)))
        start = seed % (aligned - count + 1)
        first, end = start * _ALIGNED, min((start + count) * _ALIGNED, self.rows)
        size = self.rows_per_block_max
        blocks = np.arange(first // size, -(-end // size), dtype=np.int64)
        relation = (
            f"(SELECT *, {SID} // {size} AS {BLOCK}, 0 AS {DRAWN} FROM {self.name_sql} "
            f"WHERE {SID} >= {first} AND {SID} < {end})"
        )
        return Drawn(relation, blocks, np.minimum(size, self.rows - blocks * size))

    def column_range(self, column: str) -> tuple[float, float] | None:
        """See :meth:`BlockSource.column_range`."""
        return self._statistics.column_range(column)


def build_scramble(connection: duckdb.DuckDBPyConnection, name_sql: str, seed: int = 0) -> int:
    """Make or renew the scramble of a table; returns its rows. An interrupted build leaves no trace."""
    connection.execute("CHECKPOINT")  # so that what is stored, and hence the fingerprint, is settled
    connection.begin()
    try:
        copy = _copy_name(name_sql)
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {_CATALOGUE} "
            "(name VARCHAR PRIMARY KEY, fingerprint VARCHAR, rows BIGINT, seed BIGINT)"
        )
        connection.execute(
            f"CREATE OR REPLACE TABLE {copy} AS "
            f"SELECT *, row_number() OVER () - 1 AS {SID} FROM "
            f"(SELECT * FROM {name_sql} ORDER BY hash(rowid::HUGEINT + {seed % 2**31} * 1000000007::HUGEINT), rowid)"
        )
        rows = int(connection.execute(f"SELECT count(*) FROM {copy}").fetchall()[0][0])
        connection.execute(
            f"INSERT OR REPLACE INTO {_CATALOGUE} VALUES (?, ?, ?, ?)",
            [copy, fingerprint(connection, name_sql), rows, seed],
        )
        connection.commit()
    except BaseException:
        connection.rollback()
        raise
    return rows


def drop_scramble(connection: duckdb.DuckDBPyConnection, name_sql: str) -> None:
    """Forget the scramble of a table; raises :class:`SufficeError` when there is none."""
    found = connection.execute(
        f"DELETE FROM {_CATALOGUE} WHERE name = ? RETURNING name", [_copy_name(name_sql)]
    ).fetchall()
    if not found:
        raise SufficeError(f"{name_sql} has no scramble")
    connection.execute(f"DROP TABLE {_copy_name(name_sql)}")


def fresh_scramble(connection: duckdb.DuckDBPyConnection, name_sql: str) -> ScrambledTable | None:
    """The scramble of a table, or None when there is none or the table has changed since."""
    try:
        found = connection.execute(
            f"SELECT fingerprint, rows FROM {_CATALOGUE} WHERE name = ?", [_copy_name(name_sql)]
        ).fetchall()
    except duckdb.CatalogException:
        return None
    if not found or found[0][0] != fingerprint(connection, name_sql):
        return None
    return ScrambledTable(connection, _copy_name(name_sql), int(found[0][1]))


def fingerprint(connection: duckdb.DuckDBPyConnection, name_sql: str) -> str:
    """Changes when the rows of a table do: row count, where each column segment is stored, statistics, pending updates.

    Stored segments are never changed in place. Segments only in memory have no address, so pending updates (and tables
    of an in-memory database) never match a fingerprint taken before.
    """
    count = connection.execute(f"SELECT count(*) FROM {name_sql}").fetchall()[0][0]
    digest = connection.execute(_STORED_STATE, [name_sql]).fetchall()[0]
    return hashlib.blake2b(repr((count, digest)).encode(), digest_size=16).hexdigest()


_STORED_STATE = """
    SELECT count(*), bit_xor(hash(row_group_id, column_path, segment_id, start, count, stats, block_id, block_offset,
        segment_info)), bool_or(has_updates), CASE WHEN bool_or(has_updates) OR NOT bool_and(persistent OR count = 0)
        THEN uuid() END
    FROM pragma_storage_info(?)
"""


def _copy_name(name_sql: str) -> str:
    name = "_".join(p.name for p in sqlglot.to_table(name_sql, dialect="duckdb").parts)
    return f'{SCHEMA}."{name.lower().replace(chr(34), chr(34) * 2)}"'
