"""Whether a table is the one it was: something that changes when its rows do."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence

from suffice.store.database import literal
from suffice.tables.clickhouse_tables import state_of
from suffice.tables.file_state import State
from suffice.tables.kept_facts import keep_of_state, known_of_state
from suffice.tables.reader import Reader, plain_name

_KNOWN: dict[tuple[str, str, State], str] = {}
"""Fingerprints by target, table and the state of the target's file: equal files have equal tables."""

WORTH_KEEPING_S = 0.002
"""Between processes; a new one finds nothing in memory, and takes a hundred times that."""


def fingerprint(reader: Reader, name_sql: str) -> str:
    """Of a table of the target, or of the Parquet files under a view; never twice the same when it cannot be told."""
    if reader.database.is_postgres:
        return _postgres(reader, name_sql)
    if (clickhouse := reader.database.clickhouse) is not None:
        state = state_of(clickhouse, clickhouse.named(plain_name(name_sql)))
        return uuid.uuid4().hex if state is None else _digest(state)
    if parquet_files(reader, name_sql):
        return _digest(_lake_state(reader, name_sql))
    return _duckdb(reader, name_sql) if reader.state is None else _remembered(reader, name_sql, reader.state)


def _remembered(reader: Reader, name_sql: str, state: State) -> str:
    target, name = reader.database.target, plain_name(name_sql)
    key, what = (target, name, state), f"fingerprint of {name}"
    if key not in _KNOWN:
        started = time.perf_counter()
        found = known_of_state(target, state, what)
        _KNOWN[key] = found or _duckdb(reader, name_sql)
        if found is None and time.perf_counter() - started > WORTH_KEEPING_S:
            keep_of_state(target, state, what, _KNOWN[key])
    return _KNOWN[key]


def parquet_files(reader: Reader, name_sql: str) -> Sequence[str]:
    """The Parquet files that a view of a folder target shows; empty for anything else."""
    lake = reader.database.lake
    return () if lake is None else lake.files(name_sql.strip('"').replace('""', '"'))


def _lake_state(reader: Reader, name_sql: str) -> object:
    assert reader.database.lake is not None
    return reader.database.lake.state(name_sql.strip('"').replace('""', '"'))


def _digest(state: object) -> str:
    return hashlib.blake2b(repr(state).encode(), digest_size=16).hexdigest()


def _duckdb(reader: Reader, name_sql: str) -> str:
    """Stored segments are never changed in place, not even when columns change names. Those only in memory have no
    address: they match nothing."""
    import duckdb

    ((count,),), names = reader.once(f"SELECT count(*) FROM {name_sql}"), reader.columns(name_sql)
    try:
        return _digest((count, names, reader.rows(_STORED.format(literal(name_sql)))))
    except duckdb.CatalogException:  # the pragma does not find a name with a quote in it: then the rows themselves
        return _digest((names, reader.rows(f"SELECT count(*), sum(hash(t)::HUGEINT) FROM {name_sql} AS t")))


_STORED = """
    SELECT count(*), bit_xor(hash(row_group_id, column_path, segment_id, start, count, stats, block_id, block_offset,
        segment_info)), bool_or(has_updates), CASE WHEN bool_or(has_updates) OR NOT bool_and(persistent OR count = 0)
        THEN uuid() END
    FROM pragma_storage_info({})
"""


def _postgres(reader: Reader, name_sql: str) -> str:
    """Of a table, its partitions and heirs; the counters may lag behind a session that has just written."""
    return _digest(reader.rows(reader.there(_POSTGRES.format(oid=f"{literal(name_sql)}::regclass"))))


_POSTGRES = """
    WITH RECURSIVE tree AS (
        SELECT {oid}::oid AS id UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = id)
    SELECT id::bigint AS id, pg_relation_filenode(id)::bigint AS file, pg_relation_size(id) AS size, n_tup_ins,
        n_tup_upd, n_tup_del, row_security_active(id) AS secured,
        CASE WHEN relkind = 'f' THEN gen_random_uuid()::text END AS far,
        (SELECT string_agg(attname::text, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = id AND attnum > 0) n
    FROM tree JOIN pg_class ON oid = id LEFT JOIN pg_stat_all_tables ON relid = id ORDER BY id
"""
"""File, size, counters of written rows, and what decides which rows and columns the asker sees. Foreign tables keep no
counters: never twice the same."""
