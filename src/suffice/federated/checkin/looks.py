"""Where a task stands, without a question to the store for every device."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from suffice.federated.checkin.pacing import Pacing
from suffice.federated.checkin.secure_round import is_full
from suffice.federated.checkin.stores import RoundStatus, Store, TaskSettings, open_store

_AGE_MAX_S = 0.2


class Look(NamedTuple):
    """A task as it was at `at_s` (monotonic)."""

    at_s: float
    settings: TaskSettings
    status: RoundStatus
    pacing: Pacing


class Looks:
    """Looks at tasks through a connection and a thread of its own, once for all who wait: a device that checks in waits
    neither for a slow store nor for who is writing to it."""

    def __init__(self, store: Store) -> None:
        self._store = open_store(store.where)
        self._thread = ThreadPoolExecutor(1, "looks")
        self._known: dict[str, Look] = {}
        self._asked: dict[str, asyncio.Future[Look]] = {}

    async def at(self, task: str, age_max_s: float = _AGE_MAX_S) -> Look:
        """`task` as it was at most `age_max_s` ago; raises :class:`SufficeError` when it is not known."""
        known = self._known.get(task)
        if known is not None and time.monotonic() - known.at_s < age_max_s:
            return known
        if (asked := self._asked.get(task)) is None:
            asked = self._asked[task] = asyncio.get_running_loop().run_in_executor(self._thread, self._look, task)
            asked.add_done_callback(lambda _: self._asked.pop(task))
        # One device that hangs up must not take the answer from the others.
        return await asyncio.shield(asked)

    def _look(self, task: str) -> Look:
        at_s, settings, status = time.monotonic(), self._store.settings(task), self._store.status(task)
        if settings.secure_threshold and is_full(self._store, task, status.version):
            status = status._replace(received=settings.target)
        pacing = Pacing(settings.target, settings.population, settings.overcommitment, settings.round_s)
        self._known[task] = found = Look(at_s, settings, status, pacing)
        return found
