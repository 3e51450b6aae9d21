"""What sampling needs of ClickHouse: whether a table changed, its size, and its scramble, which is kept beside it.

A scramble is a MergeTree ordered by its row number, so that a run of rows is a run of granules of the primary key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suffice.errors import SufficeError
from suffice.store.clickhouse import ClickHouse, name_sql, selected, text_sql
from suffice.tables.source import SID

if TYPE_CHECKING:
    import pyarrow as pa

COPIES = "suffice"
"""The ClickHouse database that scrambles are kept in."""

_PARTS = "system.parts WHERE active AND database = {database} AND table = {table}"


def state_of(clickhouse: ClickHouse, table: str) -> object:
    """Changes when rows do; None when that cannot be told.

    Numbers of blocks and mutations only rise while a table lives, and merges leave them; where ClickHouse gives a
    table no identity of its own (databases that are not Atomic), parts are compared, which merges change as well.
    """
    kind, uuid = _kind(clickhouse, table)
    if not kind.endswith("MergeTree"):
        return None
    parts = _PARTS.format(database=text_sql(clickhouse.database), table=text_sql(table))
    if kind == "MergeTree" and uuid.strip("0-"):
        counted = "sum(rows), max(max_block_number), max(data_version), sum(has_lightweight_delete)"
        return uuid, clickhouse.rows(f"SELECT {counted} FROM {parts}")
    return clickhouse.rows(f"SELECT name, toString(hash_of_all_files), rows FROM {parts} ORDER BY name")


def _kind(clickhouse: ClickHouse, table: str) -> tuple[str, str]:
    """(engine, identity) of a table; empty for what is none."""
    found = clickhouse.rows(
        f"SELECT engine, toString(uuid) FROM system.tables WHERE database = {text_sql(clickhouse.database)}"
        f" AND name = {text_sql(table)}"
    )
    return found[0] if found else ("", "")


def rows_of_table(clickhouse: ClickHouse, table: str) -> int:
    """Rows, from metadata where there is some."""
    found = clickhouse.rows(
        f"SELECT total_rows FROM system.tables WHERE database = {text_sql(clickhouse.database)}"
        f" AND name = {text_sql(table)}"
    )
    if found and found[0][0] is not None:
        return int(found[0][0])
    return int(clickhouse.rows(f"SELECT count() AS n FROM {clickhouse.where(table)}")[0][0])


def column_bytes(clickhouse: ClickHouse, table: str, columns: Sequence[str]) -> int:
    """On disk, of some columns; compact parts know only their whole size."""
    names = ", ".join(map(text_sql, columns)) or "''"
    ((each, whole),) = clickhouse.rows(
        f"SELECT sumIf(column_data_compressed_bytes, column IN ({names})), sumIf(bytes_on_disk, column_position = 1)"
        f" FROM {_PARTS.replace('system.parts', 'system.parts_columns')}".format(
            database=text_sql(clickhouse.database), table=text_sql(table)
        )
    )
    return int(each or whole or 0)


def copy_name(name: str) -> str:
    """Where the scramble of a table is, as ClickHouse SQL."""
    return f"{COPIES}.{name_sql(f'scramble_{name}')}"


def copied(clickhouse: ClickHouse, table: str, copy: str, outliers: str, seed: int) -> tuple[int, int]:
    """Make the copy, all of it or none: (rows, how many of them are always read)."""
    kind, _ = _kind(clickhouse, table)
    if not kind.endswith("MergeTree"):
        raise SufficeError(f"{table} is a {kind or 'missing'} table: a scramble is made of MergeTree tables")
    new = copy[:-1] + "__new`"
    clickhouse.run(f"CREATE DATABASE IF NOT EXISTS {COPIES}")
    clickhouse.run(f"DROP TABLE IF EXISTS {new} SYNC")
    first = f"ifNull({outliers}, false)"
    clickhouse.run(
        f"CREATE TABLE {new} ENGINE = MergeTree ORDER BY {SID} AS SELECT *, toInt64(rowNumberInAllBlocks()) AS {SID}"
        f" FROM (SELECT * FROM {clickhouse.where(table)}"
        f" ORDER BY {first} DESC, sipHash64(_part, _part_offset, {seed}), _part, _part_offset)"
        " SETTINGS max_threads = 1, max_insert_threads = 1, optimize_read_in_order = 0"
    )
    counted = _counted(clickhouse, new, first)
    clickhouse.run(f"DROP TABLE IF EXISTS {copy} SYNC")
    clickhouse.run(f"RENAME TABLE {new} TO {copy}")
    return counted


def _counted(clickhouse: ClickHouse, copy: str, first: str) -> tuple[int, int]:
    """Rows and always-read rows of a copy, whose numbers must run from 0 with these first."""
    ((rows, distinct, last, certain, ahead),) = clickhouse.rows(
        f"SELECT count(), uniqExact({SID}), ifNull(maxOrNull({SID}), -1), countIf({first}),"
        f" ifNull(maxOrNullIf({SID}, {first}), -1) FROM {copy}"
    )
    if not rows == distinct == last + 1 or certain != ahead + 1:
        raise SufficeError(f"ClickHouse did not number the rows of {copy} in order")
    return int(rows), int(certain)


def runs_of(
    clickhouse: ClickHouse, table: str, copy: str, columns: Sequence[str], runs: Sequence[tuple[int, int]]
) -> list[pa.Table]:
    """Rows first .. end - 1 of a scramble, for each (first, end), with :data:`SID`."""
    select = selected(clickhouse.columns()[table], columns)
    return [
        clickhouse.table(f"{select}, {SID} FROM {copy} WHERE {SID} >= {first} AND {SID} < {end}") for first, end in runs
    ]
