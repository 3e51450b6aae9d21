"""One way to name any store."""

from __future__ import annotations

from pathlib import Path

from suffice.federated.checkin.stores.protocol import Store


def open_store(where: str | Path) -> Store:
    """The store at `where`: ``postgresql://…``, the URL of a folder in an object store (``s3://bucket/name``, or any
    other that fsspec knows), or the path of a SQLite file; made when it is not there.

    Raises:
        SufficeError: it cannot be opened, or what it needs is not installed.
    """
    name = str(where)
    if name.startswith(("postgresql://", "postgres://")):
        from suffice.federated.checkin.stores.postgres import PostgresDatabase
        from suffice.federated.checkin.stores.sql import SqlStore

        return SqlStore(PostgresDatabase(name), name)
    if "://" in name:
        from suffice.federated.checkin.stores.objects import ObjectStore

        return ObjectStore(name)
    from suffice.federated.checkin.stores.sql import SqlStore
    from suffice.federated.checkin.stores.sqlite import SqliteDatabase

    return SqlStore(SqliteDatabase(name), name)
