"""A deployment in a database that many processes share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats, State
from suffice.federated.checkin.stores.protocol import (
    RoundStatus,
    StoredUpdate,
    TaskSettings,
    settings_from_json,
    settings_to_json,
)
from suffice.federated.checkin.wire import weights_from_bytes, weights_to_bytes

SCHEMA = (
    "CREATE TABLE IF NOT EXISTS task (name TEXT PRIMARY KEY, settings TEXT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS model (
    task TEXT, version BIGINT, weights {bytes} NOT NULL, opened_s {float} NOT NULL, reports BIGINT,
    PRIMARY KEY (task, version))""",
    """CREATE TABLE IF NOT EXISTS memory (
    task TEXT, version BIGINT, name TEXT, data {bytes} NOT NULL, PRIMARY KEY (task, version, name))""",
    """CREATE TABLE IF NOT EXISTS upload (
    task TEXT, version BIGINT, update_id {bytes}, position BIGINT NOT NULL, samples BIGINT NOT NULL,
    loss_mean {float} NOT NULL, delta {bytes} NOT NULL,
    PRIMARY KEY (task, version, update_id), UNIQUE (task, version, position))""",
    """CREATE TABLE IF NOT EXISTS note (
    task TEXT, version BIGINT, kind TEXT, name TEXT, data {bytes} NOT NULL, PRIMARY KEY (task, version, kind, name))""",
    """CREATE TABLE IF NOT EXISTS rejection (
    task TEXT, version BIGINT, reason TEXT, count BIGINT NOT NULL, PRIMARY KEY (task, version, reason))""",
)
"""With the names a database has for bytes and for 64-bit floats."""


class Database(Protocol):
    """What differs between databases; queries mark values with ``?``."""

    @property
    def row_lock(self) -> str:
        """What a SELECT ends with so that the rows stay locked to the end of the transaction."""
        ...

    def writing(self) -> AbstractContextManager[None]:
        """A transaction."""
        ...

    def run(self, query: str, values: Sequence[Any]) -> int:
        """Rows a statement changed."""
        ...

    def rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """What a query gives."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class SqlStore:
    """:class:`~suffice.federated.checkin.stores.Store` in a `database`."""

    def __init__(self, database: Database, where: str) -> None:
        self._db, self.where = database, where

    def close(self) -> None:
        self._db.close()

    def create_task(self, task: str, settings: TaskSettings, weights: Floats, now_s: float) -> None:
        with self._db.writing():
            row = (task, settings_to_json(settings))
            self._db.run("INSERT INTO task VALUES (?, ?) ON CONFLICT DO NOTHING", row)
            self._insert_model(task, 0, weights, now_s)

    def settings(self, task: str) -> TaskSettings:
        return settings_from_json(self._known(task, "SELECT settings FROM task WHERE name = ?", (task,))[0])

    def status(self, task: str) -> RoundStatus:
        query = """SELECT version, opened_s, (SELECT count(*) FROM upload u WHERE u.task = m.task AND
                   u.version = m.version), reports FROM model m WHERE task = ? ORDER BY version DESC LIMIT 1"""
        version, opened_s, received, reports = self._known(task, query, (task,))
        return RoundStatus(version, opened_s, received, reports, placed=received)

    def weights_bytes(self, task: str, version: int) -> bytes:
        row = self._one("SELECT weights FROM model WHERE task = ? AND version = ?", (task, version))
        if row is None:
            raise SufficeError(f"no version {version} of task {task!r}")
        return bytes(row[0])

    def memory(self, task: str, version: int) -> State:
        rows = self._db.rows("SELECT name, data FROM memory WHERE task = ? AND version = ?", (task, version))
        return {name: np.frombuffer(data, dtype="<f8") for name, data in rows}

    def add_upload(self, task: str, version: int, update_id: bytes, update: StoredUpdate) -> str:
        with self._db.writing():
            still_open = self._lock_round(task, version)
            known = (task, version, update_id)
            if self._one("SELECT 1 FROM upload WHERE task = ? AND version = ? AND update_id = ?", known):
                return "duplicate"
            if not still_open:
                return "closed"
            row = (*known, self._received(task, version), *update[:2], weights_to_bytes(update.delta))
            self._db.run("INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return "accepted"

    def uploads(self, task: str, version: int, positions: range, size: int) -> list[StoredUpdate]:
        query = """SELECT samples, loss_mean, delta FROM upload WHERE task = ? AND version = ? AND position >= ?
                   AND position < ? ORDER BY position"""
        rows = self._db.rows(query, (task, version, positions.start, positions.stop))
        return [StoredUpdate(samples, loss, weights_from_bytes(delta, size)) for samples, loss, delta in rows]

    def close_round(self, task: str, version: int) -> None:
        with self._db.writing():
            if self._lock_round(task, version):
                row = (self._received(task, version), task, version)
                self._db.run("UPDATE model SET reports = ? WHERE task = ? AND version = ?", row)

    def extend_round(self, task: str, version: int, now_s: float) -> None:
        with self._db.writing():
            query = "UPDATE model SET opened_s = ? WHERE task = ? AND version = ? AND reports IS NULL"
            self._db.run(query, (now_s, task, version))

    def put_note(self, task: str, version: int, kind: str, name: str, data: bytes) -> bool:
        with self._db.writing():
            query = "INSERT INTO note VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
            return self._db.run(query, (task, version, kind, name, data)) == 1

    def note(self, task: str, version: int, kind: str, name: str) -> bytes | None:
        query = "SELECT data FROM note WHERE task = ? AND version = ? AND kind = ? AND name = ?"
        row = self._one(query, (task, version, kind, name))
        return None if row is None else bytes(row[0])

    def note_names(self, task: str, version: int, kind: str) -> set[str]:
        query = "SELECT name FROM note WHERE task = ? AND version = ? AND kind = ?"
        return {name for (name,) in self._db.rows(query, (task, version, kind))}

    def add_model(self, task: str, version: int, weights: Floats, memory: State, now_s: float) -> None:
        with self._db.writing():
            if not self._insert_model(task, version, weights, now_s):
                return
            for name, value in memory.items():
                self._insert_memory(task, version, name, value.astype("<f8").tobytes())
            self._db.run("UPDATE upload SET delta = ? WHERE task = ? AND version < ?", (b"", task, version))
            self._db.run("DELETE FROM note WHERE task = ? AND version < ?", (task, version))
            self._db.run("DELETE FROM memory WHERE task = ? AND version < ?", (task, version))

    def count_rejection(self, task: str, version: int, reason: str) -> None:
        with self._db.writing():
            query = """INSERT INTO rejection VALUES (?, ?, ?, 1)
                       ON CONFLICT (task, version, reason) DO UPDATE SET count = rejection.count + 1"""
            self._db.run(query, (task, version, reason))

    def rejections(self, task: str) -> dict[str, int]:
        query = "SELECT reason, sum(count) FROM rejection WHERE task = ? GROUP BY reason"
        return {reason: int(count) for reason, count in self._db.rows(query, (task,))}

    def _lock_round(self, task: str, version: int) -> bool:
        """Whether the round is open; nobody else adds to it, or closes it, until the transaction ends."""
        query = "SELECT reports FROM model WHERE task = ? AND version = ?" + self._db.row_lock
        return self._one(query, (task, version)) == (None,)

    def _received(self, task: str, version: int) -> int:
        ((count,),) = self._db.rows("SELECT count(*) FROM upload WHERE task = ? AND version = ?", (task, version))
        return int(count)

    def _insert_model(self, task: str, version: int, weights: Floats, now_s: float) -> bool:
        row = (task, version, weights_to_bytes(weights), now_s)
        done = self._db.run("INSERT INTO model VALUES (?, ?, ?, ?, NULL) ON CONFLICT DO NOTHING", row) == 1
        if done:
            self._insert_memory(task, version, "weights", weights.astype("<f8").tobytes())
        return done

    def _insert_memory(self, task: str, version: int, name: str, data: bytes) -> None:
        self._db.run("INSERT INTO memory VALUES (?, ?, ?, ?)", (task, version, name, data))

    def _known(self, task: str, query: str, values: Sequence[Any]) -> tuple[Any, ...]:
        row = self._one(query, values)
        if row is None:
            raise SufficeError(f"no task {task!r} in this store")
        return row

    def _one(self, query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        rows = self._db.rows(query, values)
        return rows[0] if rows else None
