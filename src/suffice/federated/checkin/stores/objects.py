"""An object store: for processes on many machines that share a bucket and no database.

It has no transactions. All that is asked of it is to create an object only where there is none, and to list what was
written (S3 and its kin do both). Whoever finds a round marked as closing may finish closing it, so that nobody waits
for a process that has died.
"""

from __future__ import annotations

import io
import json
import uuid
from collections import Counter
from typing import Any

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


class ObjectStore:
    """:class:`~suffice.federated.checkin.stores.Store` under the folder at `url`.

    ``TASK/settings``, and for each version ``TASK/VERSION/model``, ``opened``, ``upload/ID``, ``closing``, ``closed``
    (the ids that count, in order) and ``note/KIND/NAME``.
    """

    def __init__(self, url: str) -> None:
        import fsspec

        self.where = url
        if url.startswith(("file://", "local://")):
            raise SufficeError(f"{url}: a plain folder cannot promise whole files; name a SQLite file in it instead")
        try:
            # Others write to the same folder: a listing must never be remembered.
            self._files, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise SufficeError(f"cannot open the store {url!r}: {error}") from None
        self._root, self._process = root.rstrip("/"), uuid.uuid4().hex
        self._refused: Counter[tuple[str, str]] = Counter()

    def close(self) -> None:
        """Nothing is held."""

    def create_task(self, task: str, settings: TaskSettings, weights: Floats, now_s: float) -> None:
        self._create((task, "settings"), settings_to_json(settings).encode())
        self._put_model(task, 0, weights, {}, now_s)

    def settings(self, task: str) -> TaskSettings:
        found = self._read((task, "settings"))
        if found is None:
            raise SufficeError(f"no task {task!r} in this store")
        return settings_from_json(found)

    def status(self, task: str) -> RoundStatus:
        versions = [name for name in self._names((task,)) if name.isdecimal()]
        if not versions:
            raise SufficeError(f"no task {task!r} in this store")
        version = int(max(versions))
        opened_s = json.loads(self._read((task, version, "opened")) or b"0.0")
        closed = self._closed(task, version)
        received = len(self._names((task, version, "upload"))) if closed is None else len(closed)
        return RoundStatus(version, opened_s, received, None if closed is None else received, len(closed or ()))

    def weights_bytes(self, task: str, version: int) -> bytes:
        return weights_to_bytes(self._model(task, version)["weights"].astype(np.float64))

    def memory(self, task: str, version: int) -> State:
        return self._model(task, version)

    def add_upload(self, task: str, version: int, update_id: bytes, update: StoredUpdate) -> str:
        name = update_id.hex()
        if (closed := self._closed(task, version)) is not None:
            return "duplicate" if name in closed else "closed"
        if self._read((task, version, "model")) is None:
            return "closed"
        data = json.dumps(update[:2]).encode() + b"\n" + weights_to_bytes(update.delta)
        if not self._create((task, version, "upload", name), data):
            return "duplicate"
        if self._read((task, version, "closing")) is None:
            # Whoever closes the round lists what is there after saying so: this update will be in the list.
            return "accepted"
        self.close_round(task, version)
        return "accepted" if name in (self._closed(task, version) or ()) else "closed"

    def uploads(self, task: str, version: int, positions: range, size: int) -> list[StoredUpdate]:
        closed = self._closed(task, version) or []
        found = [self._read((task, version, "upload", name)) for name in closed[positions.start : positions.stop]]
        return [_update(data, size) for data in found if data is not None]

    def close_round(self, task: str, version: int) -> None:
        self._create((task, version, "closing"), b"")
        if self._closed(task, version) is None:
            names = sorted(self._names((task, version, "upload")))
            self._create((task, version, "closed"), json.dumps(names).encode())

    def extend_round(self, task: str, version: int, now_s: float) -> None:
        self._files.pipe_file(self._path((task, version, "opened")), json.dumps(now_s).encode())

    def put_note(self, task: str, version: int, kind: str, name: str, data: bytes) -> bool:
        return self._create((task, version, "note", kind, name), data)

    def note(self, task: str, version: int, kind: str, name: str) -> bytes | None:
        return self._read((task, version, "note", kind, name))

    def note_names(self, task: str, version: int, kind: str) -> set[str]:
        return set(self._names((task, version, "note", kind)))

    def add_model(self, task: str, version: int, weights: Floats, memory: State, now_s: float) -> None:
        if self._put_model(task, version, weights, memory, now_s) and version:
            for spent in ("upload", "note"):
                if self._files.exists(folder := self._path((task, version - 1, spent))):
                    self._files.rm(folder, recursive=True)

    def count_rejection(self, task: str, version: int, reason: str) -> None:
        self._refused[task, reason] += 1
        own = {reason: count for (name, reason), count in self._refused.items() if name == task}
        self._files.pipe_file(self._path((task, "rejected", self._process)), json.dumps(own).encode())

    def rejections(self, task: str) -> dict[str, int]:
        found: Counter[str] = Counter()
        for process in self._names((task, "rejected")):
            found.update(json.loads(self._read((task, "rejected", process)) or b"{}"))
        return dict(found)

    def _put_model(self, task: str, version: int, weights: Floats, memory: State, now_s: float) -> bool:
        """A version is there once its model is; a process that dies before it sets the clock leaves a round that is
        overdue, and whoever looks next starts the clock."""
        packed = io.BytesIO()
        np.savez(packed, allow_pickle=False, **{**memory, "weights": weights.astype("<f8")})
        first = self._create((task, version, "model"), packed.getvalue())
        self._create((task, version, "opened"), json.dumps(now_s).encode())
        return first

    def _model(self, task: str, version: int) -> State:
        data = self._read((task, version, "model"))
        if data is None:
            raise SufficeError(f"no version {version} of task {task!r}")
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}

    def _closed(self, task: str, version: int) -> list[str] | None:
        found = self._read((task, version, "closed"))
        return None if found is None else json.loads(found)

    def _path(self, parts: tuple[str | int, ...]) -> str:
        return "/".join([self._root, *(f"{part:012d}" if isinstance(part, int) else _escaped(part) for part in parts)])

    def _create(self, parts: tuple[str | int, ...], data: bytes) -> bool:
        path = self._path(parts)
        try:
            self._files.pipe_file(path, data, mode="create")
        except OSError:
            # Stores say in different words that the name is taken.
            if self._files.exists(path):
                return False
            raise
        return True

    def _read(self, parts: tuple[str | int, ...]) -> bytes | None:
        try:
            data: bytes = self._files.cat_file(self._path(parts))
        except FileNotFoundError:
            return None
        return data

    def _names(self, parts: tuple[str | int, ...]) -> list[str]:
        try:
            found: list[dict[str, Any]] = self._files.ls(self._path(parts), detail=True)
        except FileNotFoundError:
            return []
        return [entry["name"].rstrip("/").rpartition("/")[2] for entry in found]


def _escaped(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe=" ").replace(".", "%2E")


def _update(data: bytes, size: int) -> StoredUpdate:
    head, _, delta = data.partition(b"\n")
    samples, loss = json.loads(head)
    return StoredUpdate(samples, loss, weights_from_bytes(delta, size))
