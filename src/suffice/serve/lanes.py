"""Connections for the lanes: one each, all to the same target and within the same roots."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from suffice.answer.progress import listening
from suffice.answer.result import Result
from suffice.connection import Connection, connect
from suffice.errors import SufficeError
from suffice.serve.as_json import result_json
from suffice.serve.jobs import Job
from suffice.serve.settings import Role, ServeSettings
from suffice.serve.thumbnails import Thumbnails

if TYPE_CHECKING:
    from suffice.masks.embeddings import Embeddings

DESK = -1
"""The lane of the server's own questions."""
READ_ONLY_CALLS = 0
"""Model calls that a reader may cause."""


class Lanes:
    """`get(lane)` is the connection of a lane; one more serves pictures and lists, which wait for no statement."""

    def __init__(self, settings: ServeSettings) -> None:
        self.settings = settings
        self._is_in_memory = settings.target == ":memory:"  # two connections to memory are two databases
        self.count = 1 if self._is_in_memory else max(settings.lanes, 1)
        self.thumbnails = Thumbnails()
        self._connections: dict[int, Connection] = {}
        self._lock = threading.Lock()
        self._is_closed = False
        self._ahead = threading.Thread(target=self._open_all, daemon=True)

    @cached_property
    def embeddings(self) -> Embeddings:
        """Pictures that were encoded for masks: the last ones."""
        from suffice.masks.embeddings import Embeddings

        return Embeddings()

    def open_ahead(self) -> None:
        """Open all connections beside whatever else goes on, so that nobody's first question waits for it."""
        self._ahead.start()

    def _open_all(self) -> None:
        from suffice.media import load, write  # noqa: F401  what the first picture would wait for

        for lane in (DESK, *range(self.count)):
            with suppress(SufficeError):  # the request that needs it will say so
                self.get(lane).sql("SELECT count(*) FROM models")

    def get(self, lane: int = DESK) -> Connection:
        lane = 0 if self._is_in_memory else lane
        with self._lock:
            if self._is_closed:
                raise SufficeError("the server is closing")
            if lane not in self._connections:
                roots = [str(root) for root in self.settings.roots]
                self._connections[lane] = connect(self.settings.target, roots=roots, progress=False)
            return self._connections[lane]

    def ask(self, job: Job, lane: int, query: str, seed: int | None, role: Role) -> Result:
        """Run a statement as a job: progress and partial answers are its events."""
        connection = self.get(lane)
        connection.limit(max_calls=READ_ONLY_CALLS if role < Role.RUN else None)
        last: Result | None = None
        with listening(job.progress):
            for last in connection.stream(query, seed=seed):
                job.say("answer", result_json(last))
        assert last is not None
        return last

    def rows(self, query: str) -> list[dict[str, Any]]:
        """Rows of one of the server's own questions, as dictionaries."""
        result = self.get().sql(query)
        return [dict(zip(result.columns, row, strict=True)) for row in result.fetchall()]

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        if self._ahead.is_alive():
            self._ahead.join()
        with self._lock:
            for connection in self._connections.values():
                connection.close()
            self._connections.clear()
