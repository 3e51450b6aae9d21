"""Makes, renews and drops scrambles. A build is one transaction: interrupted, it leaves what was there before."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from suffice.errors import SufficeError, UsageError, nearest
from suffice.store.database import Database, literal, quote
from suffice.tables.clickhouse_tables import copied
from suffice.tables.fetched_ahead import forget_blocks, has_blocks, note_blocks
from suffice.tables.fingerprint import fingerprint
from suffice.tables.head import finish, head_columns, head_rows, remove_others, write_half
from suffice.tables.joined_columns import Joined, catalogue_joins, catalogued_joins, joined_sql, joins_of, table_sql
from suffice.tables.key_scramble import (
    HASH,
    KeyCatalogued,
    catalogued_keys,
    fresh_key_copy,
    key_catalogue_sql,
    key_copy_sql,
)
from suffice.tables.pace import seconds_per_value
from suffice.tables.reader import Reader, in_transaction, plain_name, snapshot
from suffice.tables.scramble import (
    Catalogued,
    catalogue_sql,
    catalogued,
    copy_sql,
    head_stamps,
    layout_mark,
    note,
)
from suffice.tables.source import GROUP, ROWS_PER_GROUP, SID, Range

_TAIL = 0.0005
"""Share of the rows at each end of a column that may be taken for outliers …"""

_NARROWER = 3.0
"""… where leaving them out makes the column's range this much narrower."""

_SAMPLED = 200_000
_ENDS = ("min", "max")
_NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True)
class Built:
    """What a build did: nothing when `was_fresh`."""

    known: Catalogued
    was_fresh: bool


def build_scramble(database: Database, name_sql: str, seed: int = 0, joins: Sequence[str] | None = None) -> Built:
    """Make the scramble of a table, or renew it when a table in it has changed.

    Args:
        joins: ``table(column, …) ON column = key`` each, see :mod:`suffice.tables.joined_columns`; None for those
            that the scramble there is has.

    Raises:
        UsageError: the target keeps nothing (it is in memory), or a transaction is open, or a join is not on a key.
    """
    if joins and (database.is_postgres or database.clickhouse is not None):
        raise UsageError("a scramble with joined columns is for DuckDB files and folders of Parquet")
    _require_kept(database)
    with _writing(database) as reader:
        mark, known = layout_mark(reader, name_sql), catalogued(reader, name_sql)
        before = catalogued_joins(reader, name_sql)
        wanted = joins_of(reader, name_sql, [one.written for one in before] if joins is None else joins)
        same = [replace(one, always_found=False) for one in before] == wanted
        is_fresh = known is not None and known.fingerprint == mark and same
        made = known if known is not None and is_fresh else _build(reader, name_sql, mark, seed, wanted)
    if database.file and database.clickhouse is None:
        _settle(database, made, [name_sql, *(table_sql(one.table) for one in wanted)], is_fresh)
    return Built(made, is_fresh)


def _settle(database: Database, known: Catalogued, tables: Sequence[str], was_fresh: bool) -> None:
    """Find out what the next process would have to, and leave the file as it will find it."""
    import duckdb

    database.rows("CHECKPOINT")
    with _writing(database) as reader:
        if not (was_fresh and has_blocks(reader, known.name)):
            note_blocks(reader, known.name, known.copy_sql)
        note(reader, known.name, "never_null", _never_null(reader, known.copy_sql))
    _keep_head(database, known)
    with snapshot(database) as reader:
        seconds_per_value(reader)
    with suppress(duckdb.Error):  # somebody is writing: then nothing stays as it is
        database.rows("CHECKPOINT")
    with snapshot(database) as reader:
        for table in tables:
            fingerprint(reader, table)


def _keep_head(database: Database, known: Catalogued) -> None:
    """Write the head of a scramble where there should be one; remove those of scrambles that are no more."""
    rows, stamp = head_rows(known.rows, known.certain), None
    with database.writer.holding(0):
        if rows and not (known.head and known.head.holds(())):
            with _writing(database) as reader:
                columns = head_columns(reader, known.copy_sql)
                if stamp := write_half(reader, known.copy_sql, rows, columns):
                    note(reader, known.name, "head", [stamp, columns])
        if stamp:
            finish(database.file, stamp)
        with snapshot(database) as reader:
            remove_others(database.file, head_stamps(reader))


def build_key_scramble(database: Database, name_sql: str, key: str, seed: int = 0) -> Built:
    """Make or renew the copy of a table ordered by a join key, see :mod:`suffice.tables.key_scramble`.

    Raises:
        UsageError: as of :func:`build_scramble`, or the target is PostgreSQL or ClickHouse, or has no such column.
    """
    if database.is_postgres or database.clickhouse is not None:
        raise UsageError("a scramble BY a join key is for DuckDB files and folders of Parquet")
    _require_kept(database)
    with _writing(database) as reader:
        mark = fingerprint(reader, name_sql)
        known = fresh_key_copy(reader, name_sql, key)
        made = known or _build_by_key(reader, name_sql, key, mark, seed)
        return Built(made, known is not None)


def _build_by_key(reader: Reader, name_sql: str, key: str, mark: str, seed: int) -> KeyCatalogued:
    names, types = reader.describe(f"SELECT * FROM {name_sql}")
    if key.lower() not in (name.lower() for name in names):
        raise UsageError(f"{name_sql} has no column {key}{nearest(key, names)}")
    name, kind = plain_name(name_sql), types[[n.lower() for n in names].index(key.lower())]
    if kind in ("FLOAT", "DOUBLE"):
        raise UsageError(f"{key} is a {kind}: keys are whole numbers, decimals, dates or texts")
    copy, column, mix = key_copy_sql(reader, name, key.lower()), quote(key), seed % 2**31
    keys = (
        f"SELECT __key, {HASH}, row_number() OVER () - 1 AS {SID} FROM (SELECT DISTINCT {column} AS __key,"
        f" hash(hash({column}) + {mix}) AS {HASH} FROM {name_sql} WHERE {column} IS NOT NULL ORDER BY {HASH}, __key)"
    )
    reader.rows(f"DROP TABLE IF EXISTS {copy}")
    reader.rows(
        f"CREATE TABLE {copy} AS SELECT t.*, k.{HASH}, k.{SID} FROM {name_sql} t"
        f" JOIN ({keys}) k ON t.{column} = k.__key ORDER BY k.{SID}"
    )
    counted = f"SELECT count(*) AS n FROM {copy} GROUP BY {SID}"
    ((rows, different, most),) = reader.rows(
        f"SELECT coalesce(sum(n), 0)::BIGINT, count(*), coalesce(max(n), 0) FROM ({counted})"
    )
    ranges = _ranges(reader, name_sql, copy, 0)
    known = KeyCatalogued(name, copy, mark, rows, 0, ranges, (), key.lower(), different, most, f"{kind} {mix}")
    _catalogue_key(reader, known)
    return known


def _catalogue_key(reader: Reader, known: KeyCatalogued) -> None:
    table = key_catalogue_sql(reader)
    reader.rows(
        f"CREATE TABLE IF NOT EXISTS {table} (name VARCHAR, key VARCHAR, fingerprint VARCHAR, row_count BIGINT,"
        " keys BIGINT, rows_per_key_max BIGINT, mix VARCHAR, ranges VARCHAR)"
    )
    reader.rows(f"DELETE FROM {table} WHERE name = {literal(known.name)} AND key = {literal(known.key)}")
    reader.rows(
        f"INSERT INTO {table} VALUES ({literal(known.name)}, {literal(known.key)}, {literal(known.fingerprint)},"
        f" {known.rows}, {known.keys}, {known.rows_per_key_max}, {literal(known.mix)},"
        f" {literal(json.dumps(dict(known.ranges)))})"
    )


def drop_scramble(database: Database, name_sql: str) -> None:
    """Forget the scrambles of a table; raises :class:`SufficeError` when there is none."""
    with _writing(database) as reader:
        known, by_keys = catalogued(reader, name_sql), catalogued_keys(reader, name_sql)
        if known is None and not by_keys:
            raise SufficeError(f"{name_sql} has no scramble")
        for one, table in ((known, catalogue_sql(reader)), *((each, key_catalogue_sql(reader)) for each in by_keys)):
            if one is not None:
                reader.rows(f"DELETE FROM {table} WHERE name = {literal(one.name)}")
                _run(reader, f"DROP TABLE {one.copy_sql}")
        if catalogued_joins(reader, name_sql):
            catalogue_joins(reader, plain_name(name_sql), "", [])
        forget_blocks(reader, plain_name(name_sql))
    if database.file and database.clickhouse is None:
        with snapshot(database) as reader:
            remove_others(database.file, head_stamps(reader))


def _require_kept(database: Database) -> None:
    if not database.is_kept:
        raise UsageError("a scramble is for a target that is kept: a file, a folder, PostgreSQL or ClickHouse")
    if in_transaction(database):
        raise UsageError("a scramble cannot be made inside a BEGIN of yours: COMMIT or ROLLBACK first")
    if not database.is_postgres:
        database.rows("CHECKPOINT")  # so that what is stored, and hence the fingerprint, is settled


@contextmanager
def _writing(database: Database) -> Iterator[Reader]:
    """One transaction of its own: all or nothing."""
    cursor = database.cursor()
    try:
        with database.writer.holding(0):
            cursor.execute("BEGIN TRANSACTION")
            try:
                yield Reader(database, cursor)
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
    finally:
        cursor.close()
        if database.is_postgres:
            database.rows("CALL pg_clear_cache()")


def _run(reader: Reader, sql: str) -> None:
    """A statement written for the target's own database."""
    if (clickhouse := reader.database.clickhouse) is not None:
        return clickhouse.run(sql)
    reader.rows(f"CALL postgres_execute('store', {literal(sql)})" if reader.database.is_postgres else sql)


def _build(reader: Reader, name_sql: str, mark: str, seed: int, joins: Sequence[Joined]) -> Catalogued:
    name = plain_name(name_sql)
    is_postgres = reader.database.is_postgres
    copy = copy_sql(reader, name)
    outliers = _outliers(reader, name_sql)
    if (clickhouse := reader.database.clickhouse) is not None:
        rows, certain = copied(clickhouse, clickhouse.named(name), copy, outliers, seed)
    else:
        _run(reader, f"DROP TABLE IF EXISTS {copy}")
        if is_postgres:
            _run(reader, _postgres_copy(name_sql, copy, outliers, seed))
        else:
            _run(reader, _duckdb_copy(name_sql, copy, outliers, seed, joins))
        rows, certain = _counted(reader, name_sql, outliers)
    if is_postgres:
        _run(reader, f"CREATE INDEX ON {copy} USING brin ({SID}) WITH (pages_per_range = 8)")
    ranges = _ranges(reader, copy if joins else name_sql, copy, certain)
    known = Catalogued(name, copy, mark, rows, certain, ranges, ())
    _catalogue(reader, known, seed)
    if joins or catalogued_joins(reader, name_sql):
        catalogue_joins(reader, name, copy, joins)
    return known


def _catalogue(reader: Reader, known: Catalogued, seed: int) -> None:
    table = catalogue_sql(reader)
    reader.rows(
        f"CREATE TABLE IF NOT EXISTS {table} (name VARCHAR, fingerprint VARCHAR, row_count BIGINT,"
        " certain BIGINT, ranges VARCHAR, seed BIGINT)"
    )
    reader.rows(f"DELETE FROM {table} WHERE name = {literal(known.name)}")
    facts = {"ranges": dict(known.ranges), "never_null": []}
    reader.rows(
        f"INSERT INTO {table} VALUES ({literal(known.name)}, {literal(known.fingerprint)},"
        f" {known.rows}, {known.certain}, {literal(json.dumps(facts))}, {seed})"
    )


def _duckdb_copy(name_sql: str, copy: str, outliers: str, seed: int, joins: Sequence[Joined]) -> str:
    """Ordered by a hash of the row's number; equal seeds give equal copies."""
    mixed = f"hash(hash(__number + {seed % 2**31}) + {seed % 2**31})"
    numbered = f"SELECT *, row_number() OVER () AS __number FROM {name_sql}"
    return (
        f"CREATE TABLE {copy} AS SELECT * EXCLUDE (__number), row_number() OVER () - 1 AS {SID},"
        f" {SID} // {ROWS_PER_GROUP} AS {GROUP} FROM ("
        f"SELECT * FROM ({joined_sql(name_sql, joins, numbered)})"
        f" ORDER BY ({outliers}) IS TRUE DESC, {mixed}, __number)"
    )


def _postgres_copy(name_sql: str, copy: str, outliers: str, seed: int) -> str:
    order = f"({outliers}) IS TRUE DESC, md5(ctid::text || '/{seed}'), ctid"
    return (
        f"CREATE TABLE {copy} AS SELECT *, row_number() OVER (ORDER BY {order}) - 1 AS {SID}"
        f" FROM {name_sql} ORDER BY {SID}"
    )


def _numeric_columns(reader: Reader, name_sql: str) -> list[str]:
    names, types = reader.describe(f"SELECT * FROM {name_sql}")
    return [
        n for n, t in zip(names, types, strict=True) if t in (*_NUMERIC, "FLOAT", "DOUBLE") or t.startswith("DECIMAL")
    ]


def _outliers(reader: Reader, name_sql: str) -> str:
    """The condition for rows beyond the bulk of some column, from a sample: where the cut lies is of no consequence."""
    conditions = []
    for column, (low, cut_low, cut_high, high) in _tails(reader, name_sql).items():
        if all(map(math.isfinite, (low, high))) and high - low > _NARROWER * max(cut_high - cut_low, 1e-300):
            conditions += [f"{quote(column)} < {cut_low!r}"] if cut_low > low else []
            conditions += [f"{quote(column)} > {cut_high!r}"] if cut_high < high else []
    return " OR ".join(conditions) or "FALSE"


def _tails(reader: Reader, name_sql: str) -> dict[str, tuple[float, float, float, float]]:
    """(least, low cut, high cut, greatest) of each numeric column."""
    columns = _numeric_columns(reader, name_sql)
    if not columns:
        return {}
    ends = ", ".join(f"min({quote(c)})::DOUBLE, max({quote(c)})::DOUBLE" for c in columns)
    ((*extremes,),) = reader.rows(f"SELECT {ends} FROM {name_sql}")
    cuts = ", ".join(f"quantile_disc({quote(c)}::DOUBLE, [{_TAIL}, {1 - _TAIL}])" for c in columns)
    sample = f"SELECT * FROM {name_sql} USING SAMPLE reservoir({_SAMPLED} ROWS) REPEATABLE (1)"
    ((*found,),) = reader.rows(f"SELECT {cuts} FROM ({sample})")
    return {
        column: (float(extremes[2 * i]), float(cut[0]), float(cut[1]), float(extremes[2 * i + 1]))
        for i, (column, cut) in enumerate(zip(columns, found, strict=True))
        if cut is not None
    }


def _counted(reader: Reader, name_sql: str, outliers: str) -> tuple[int, int]:
    ((rows, certain),) = reader.rows(f"SELECT count(*), count(*) FILTER (WHERE ({outliers}) IS TRUE) FROM {name_sql}")
    return int(rows), int(certain)


def _ranges(reader: Reader, name_sql: str, copy: str, certain: int) -> dict[str, Range]:
    """Of each numeric column over the rows that are sampled; none for a column with NaN or infinity in it."""
    columns = _numeric_columns(reader, name_sql)
    cast = "{}" if reader.database.clickhouse is not None else "CAST({} AS DOUBLE PRECISION)"
    ends = [f"{cast.format(f'{end}({quote(c)})')} AS e{i}{end}" for i, c in enumerate(columns) for end in _ENDS]
    query = f"SELECT {', '.join(ends) or '1 AS one'} FROM {copy} WHERE {SID} >= {certain}"
    ((*found,),) = reader.rows_there(query)
    pairs = {c.lower(): tuple(found[2 * i : 2 * i + 2]) for i, c in enumerate(columns)}
    known = {c: (float(a), float(b)) for c, (a, b) in pairs.items() if a is not None}
    return {c: _rounded(*ends) for c, ends in known.items() if all(map(math.isfinite, ends))}


def _never_null(reader: Reader, copy: str) -> list[str]:
    """Columns of a DuckDB table whose statistics say so, in lower case; none before what made it is committed."""
    names = reader.columns(copy)
    stats = reader.rows(f"SELECT {', '.join(f'stats({quote(name)})' for name in names)} FROM {copy} LIMIT 1")
    return [n.lower() for row in stats for n, s in zip(names, row, strict=True) if "[Has Null: false" in str(s)]


def _rounded(low: float, high: float) -> Range:
    """Outward: a DECIMAL may lie a little beyond the double it became, but never on the other side of zero."""
    slack = 1e-12 * max(abs(low), abs(high))
    return low - slack if low < 0 else max(low - slack, 0.0), high + slack if high > 0 else min(high + slack, 0.0)
