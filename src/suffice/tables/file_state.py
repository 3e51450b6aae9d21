"""Whether the files of a target are what they were."""

from __future__ import annotations

import os

from suffice.store.database import Database

State = tuple[tuple[int, ...], ...]


def target_state(database: Database) -> State | None:
    """Of all files that its answers come from; None where nothing tells."""
    if not database.file or database.clickhouse is not None:
        return None
    tables = database.lake.tables.values() if database.lake is not None else ()
    return file_state(database.file, *(file for table in tables for file in table.files))


def file_state(*files: str) -> State | None:
    """Of files, and DuckDB's logs beside them. It never comes back once something is written: the time of change
    is not for users to set."""
    try:
        stats = [os.stat(path) for file in files for path in (file, f"{file}.wal") if os.path.exists(path)]
    except OSError:
        return None
    return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in stats) or None
