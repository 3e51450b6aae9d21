"""Everything a deployment remembers, in one SQLite file that many processes share."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.partial import Partial
from suffice.federated.arrays import Floats, Floats32, State
from suffice.federated.checkin.tree import Node
from suffice.federated.checkin.wire import partial_from_bytes, partial_to_bytes, weights_from_bytes, weights_to_bytes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS task (name TEXT PRIMARY KEY, settings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS model (
    task TEXT, version INTEGER, weights BLOB NOT NULL, opened_s REAL NOT NULL, reports INTEGER,
    PRIMARY KEY (task, version));
CREATE TABLE IF NOT EXISTS memory (
    task TEXT, version INTEGER, name TEXT, data BLOB NOT NULL, PRIMARY KEY (task, version, name));
CREATE TABLE IF NOT EXISTS upload (
    task TEXT, version INTEGER, update_id BLOB, position INTEGER NOT NULL, samples INTEGER NOT NULL,
    loss_mean REAL NOT NULL, delta BLOB NOT NULL,
    PRIMARY KEY (task, version, update_id), UNIQUE (task, version, position));
CREATE TABLE IF NOT EXISTS partial (
    task TEXT, version INTEGER, level INTEGER, node INTEGER, data BLOB NOT NULL,
    PRIMARY KEY (task, version, level, node));
CREATE TABLE IF NOT EXISTS rejection (
    task TEXT, version INTEGER, reason TEXT, count INTEGER NOT NULL, PRIMARY KEY (task, version, reason));
"""


@dataclass(frozen=True)
class TaskSettings:
    """What every process of a deployment must agree on.

    Attributes:
        size, layout_digest: of the model. fan_in: updates or partials a folding process takes at once.
        target, reports_min, round_s: a round closes on `target` reports, or after `round_s` with at least
            `reports_min`; with fewer it stays open for another `round_s`.
        population: estimate of the devices that check in during a round. token_s: how long a device may take.
        optimiser, server_learning_rate: what the root does with the mean.
        update_norm_max: longer updates are refused. samples_max: and those that claim more samples, which is their
            weight in the mean.
        statistics: positions ``[first, last)`` of weights that are averaged, never optimised (running statistics).
    """

    size: int
    layout_digest: str
    target: int
    reports_min: int = 1
    round_s: float = 60.0
    population: int = 1
    overcommitment: float = 1.3
    token_s: float = 120.0
    fan_in: int = 16
    optimiser: str = "fedavg"
    server_learning_rate: float = 1.0
    update_norm_max: float = 1e6
    samples_max: int = 100_000
    learning_rate: float = 0.05
    batch_size: int = 20
    local_steps: int = 5
    statistics: tuple[tuple[int, int], ...] = ()


class RoundStatus(NamedTuple):
    """The newest model `version`; `received` updates are in; `reports` is None while the round is open, then how many
    of them count."""

    version: int
    opened_s: float
    received: int
    reports: int | None


class StoredUpdate(NamedTuple):
    """An accepted update."""

    samples: int
    loss_mean: float
    delta: Floats32


class Store:
    """A deployment's state. Every write is one transaction that can be repeated without changing anything."""

    def __init__(self, path: str | Path) -> None:
        self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def create_task(self, task: str, settings: TaskSettings, weights: Floats, now_s: float) -> None:
        """Register `task` with its first model; a task that is there stays as it is."""
        with self._writing() as db:
            db.execute("INSERT OR IGNORE INTO task VALUES (?, ?)", (task, json.dumps(asdict(settings))))
            self._insert_model(db, task, 0, weights, now_s)

    def settings(self, task: str) -> TaskSettings:
        """The settings of `task`; raises :class:`SufficeError` when it is not known."""
        row = self._one("SELECT settings FROM task WHERE name = ?", (task,))
        if row is None:
            raise SufficeError(f"no task {task!r} in this store")
        found = json.loads(row[0])
        return TaskSettings(**{**found, "statistics": tuple(map(tuple, found["statistics"]))})

    def status(self, task: str) -> RoundStatus:
        """Where the newest round of `task` stands."""
        query = """SELECT version, opened_s, (SELECT count(*) FROM upload u WHERE u.task = m.task AND
                   u.version = m.version), reports FROM model m WHERE task = ? ORDER BY version DESC LIMIT 1"""
        row = self._one(query, (task,))
        if row is None:
            raise SufficeError(f"no task {task!r} in this store")
        return RoundStatus(*row)

    def weights(self, task: str, version: int, size: int) -> Floats32:
        """Model `version` of `task`, as sent to devices."""
        return weights_from_bytes(self.weights_bytes(task, version)[: 4 * size], size)

    def weights_bytes(self, task: str, version: int) -> bytes:
        """The float32 bytes of model `version`."""
        row = self._one("SELECT weights FROM model WHERE task = ? AND version = ?", (task, version))
        if row is None:
            raise SufficeError(f"no version {version} of task {task!r}")
        return bytes(row[0])

    def memory(self, task: str, version: int) -> State:
        """What the server optimiser remembered when it made `version`; also the float64 ``weights``."""
        rows = self._all("SELECT name, data FROM memory WHERE task = ? AND version = ?", (task, version))
        return {name: np.frombuffer(data, dtype="<f8") for name, data in rows}

    def add_upload(self, task: str, version: int, update_id: bytes, update: StoredUpdate) -> str:
        """Store an update: ``accepted``, ``duplicate`` when it is there already, or ``closed`` when the round is."""
        with self._writing() as db:
            known = (task, version, update_id)
            if db.execute("SELECT 1 FROM upload WHERE task = ? AND version = ? AND update_id = ?", known).fetchone():
                return "duplicate"
            round_ = (task, version)
            still_open = "SELECT 1 FROM model WHERE task = ? AND version = ? AND reports IS NULL"
            if not db.execute(still_open, round_).fetchone():
                return "closed"
            count = "SELECT count(*) FROM upload WHERE task = ? AND version = ?"
            (position,) = db.execute(count, round_).fetchone()
            row = (*known, position, update.samples, update.loss_mean, weights_to_bytes(update.delta))
            db.execute("INSERT INTO upload VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return "accepted"

    def uploads(self, task: str, version: int, positions: range, size: int) -> list[StoredUpdate]:
        """The updates at `positions`, in order."""
        query = """SELECT samples, loss_mean, delta FROM upload WHERE task = ? AND version = ? AND position >= ?
                   AND position < ? ORDER BY position"""
        rows = self._all(query, (task, version, positions.start, positions.stop))
        return [StoredUpdate(samples, loss, weights_from_bytes(delta, size)) for samples, loss, delta in rows]

    def close_round(self, task: str, version: int) -> None:
        """Freeze the updates of `version`: what comes later is too late. Closing twice changes nothing."""
        with self._writing() as db:
            count = "(SELECT count(*) FROM upload WHERE task = ? AND version = ?)"
            query = f"UPDATE model SET reports = {count} WHERE task = ? AND version = ? AND reports IS NULL"
            db.execute(query, (task, version, task, version))

    def extend_round(self, task: str, version: int, now_s: float) -> None:
        """Start the clock of an open round again."""
        with self._writing() as db:
            query = "UPDATE model SET opened_s = ? WHERE task = ? AND version = ? AND reports IS NULL"
            db.execute(query, (now_s, task, version))

    def partial(self, task: str, version: int, node: Node) -> Partial | None:
        """What `node` folded; None when it has not."""
        query = "SELECT data FROM partial WHERE task = ? AND version = ? AND level = ? AND node = ?"
        row = self._one(query, (task, version, *node))
        return None if row is None else partial_from_bytes(row[0])

    def folded(self, task: str, version: int) -> set[Node]:
        """The nodes that are done."""
        rows = self._all("SELECT level, node FROM partial WHERE task = ? AND version = ?", (task, version))
        return {Node(*row) for row in rows}

    def put_partial(self, task: str, version: int, node: Node, partial: Partial) -> None:
        """Store what `node` folded; the first to come stays, any other is equal."""
        with self._writing() as db:
            row = (task, version, *node, partial_to_bytes(partial))
            db.execute("INSERT OR IGNORE INTO partial VALUES (?, ?, ?, ?, ?)", row)

    def add_model(self, task: str, version: int, weights: Floats, memory: State, now_s: float) -> None:
        """Publish model `version` and open its round, and forget the updates that made it; the first to come stays."""
        with self._writing() as db:
            if not self._insert_model(db, task, version, weights, now_s):
                return
            rows = [(task, version, name, value.astype("<f8").tobytes()) for name, value in memory.items()]
            db.executemany("INSERT INTO memory VALUES (?, ?, ?, ?)", rows)
            db.execute("UPDATE upload SET delta = x'' WHERE task = ? AND version < ?", (task, version))
            db.execute("DELETE FROM partial WHERE task = ? AND version < ?", (task, version))
            db.execute("DELETE FROM memory WHERE task = ? AND version < ?", (task, version))

    def count_rejection(self, task: str, version: int, reason: str) -> None:
        """Count a refused upload."""
        with self._writing() as db:
            query = """INSERT INTO rejection VALUES (?, ?, ?, 1)
                       ON CONFLICT (task, version, reason) DO UPDATE SET count = count + 1"""
            db.execute(query, (task, version, reason))

    def rejections(self, task: str) -> dict[str, int]:
        """How many uploads were refused, by reason."""
        query = "SELECT reason, sum(count) FROM rejection WHERE task = ? GROUP BY reason"
        return {reason: int(count) for reason, count in self._all(query, (task,))}

    def _insert_model(self, db: sqlite3.Connection, task: str, version: int, weights: Floats, now_s: float) -> bool:
        row = (task, version, weights_to_bytes(weights), now_s)
        done = db.execute("INSERT OR IGNORE INTO model VALUES (?, ?, ?, ?, NULL)", row).rowcount == 1
        if done:
            exact = (task, version, "weights", weights.astype("<f8").tobytes())
            db.execute("INSERT INTO memory VALUES (?, ?, ?, ?)", exact)
        return done

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _one(self, query: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        rows = self._all(query, values)
        return rows[0] if rows else None

    def _all(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with closing(self._connection.execute(query, values)) as cursor:
            return cursor.fetchall()
