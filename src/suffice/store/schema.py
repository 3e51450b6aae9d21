"""The store's tables, created on first use and never altered in place (a new layout gets a new VERSION)."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from suffice.errors import SufficeError
from suffice.store.database import Database

if TYPE_CHECKING:
    import duckdb

VERSION = "1"

REVISION = "revision"
"""Name in ``meta`` of what changes when results are dropped, or views or models made or dropped."""

DROPS = "drops"
"""Name in ``meta`` of what changes when results are dropped."""

_TABLES = (
    "meta (name VARCHAR, value VARCHAR)",
    # One row a path: what was there when it was last looked at. hash is NULL when it could not be read.
    "paths (path VARCHAR, kind VARCHAR, stamp VARCHAR, size_bytes BIGINT, hash VARCHAR, problem VARCHAR)",
    # One row a content; its blobs are numbered blob_base .. blob_base + blob_count - 1.
    "contents (hash VARCHAR, kind VARCHAR, blob_base BIGINT, blob_count BIGINT)",
    # One row a frame, picture, page or text.
    "blobs (blob_id BIGINT, hash VARCHAR, blob_index BIGINT, image VARCHAR, time_s DOUBLE, key_frame BOOLEAN,"
    " width INTEGER, height INTEGER, text VARCHAR)",
    # One row for each model x version x options that ever ran; its results are in inputs_ID and rows_ID.
    "calls (call_id BIGINT, name VARCHAR, version VARCHAR, options VARCHAR, signature VARCHAR, created_at TIMESTAMP,"
    " used_at TIMESTAMP, done BIGINT, cached BIGINT, seconds DOUBLE, price DOUBLE)",
    "models (name VARCHAR, locator VARCHAR, options VARCHAR)",
    # One row a model behind HTTP: what was paid for it under that name, over all processes.
    "spent (model VARCHAR, calls BIGINT, inputs BIGINT, input_tokens BIGINT, output_tokens BIGINT, price DOUBLE)",
    "views (name VARCHAR, sql VARCHAR)",
    "problems (noted_at TIMESTAMP, path VARCHAR, model VARCHAR, message VARCHAR)",
)


def create_schema(database: Database) -> None:
    """Create what is missing; refuse a store written by another layout."""
    schema = database.schema
    if _is_complete(database):  # then nobody who computes has to be waited for
        return
    with database.writer.holding(0), database.transaction() as connection:
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        for table in _TABLES:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {schema}.{table}")
        found = connection.execute(f"SELECT value FROM {schema}.meta WHERE name = 'version'").fetchone()
        if found is None:
            connection.execute(f"INSERT INTO {schema}.meta VALUES ('version', '{VERSION}'), ('{REVISION}', '')")
        elif found[0] != VERSION:
            raise SufficeError(
                f"{database.shown_target} holds a store of layout {found[0]}, this suffice writes layout {VERSION}:"
                f" move the file away, or DROP SCHEMA {schema} CASCADE"
            )


def _is_complete(database: Database) -> bool:
    """Whether a store of this layout is there already."""
    import duckdb

    try:
        there = {row[0] for row in database.rows(f"SHOW TABLES FROM {database.schema}")}
        version = database.rows(f"SELECT value FROM {database.schema}.meta WHERE name = 'version'")
    except duckdb.Error:
        return False
    return version == [(VERSION,)] and {table.split(" ", 1)[0] for table in _TABLES} <= there


def revision(database: Database) -> dict[str, str]:
    """Differs from what it was when another connection changed what this one may remember."""
    rows = database.rows(f"SELECT name, value FROM {database.schema}.meta WHERE name IN ('{REVISION}', '{DROPS}')")
    return {str(name): str(value) for name, value in rows}


@contextmanager
def revising(database: Database, *, drops: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A transaction after which other connections look again; `drops` says that results go."""
    with database.writer.holding(0), database.transaction() as connection:
        yield connection
        new, meta = uuid.uuid4().hex, f"{database.schema}.meta"
        connection.execute(f"UPDATE {meta} SET value = '{new}' WHERE name = '{REVISION}'")
        if drops:
            connection.execute(f"DELETE FROM {meta} WHERE name = '{DROPS}'")
            connection.execute(f"INSERT INTO {meta} VALUES ('{DROPS}', '{new}')")
