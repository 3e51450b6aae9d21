"""Work that takes a while: a bounded queue, lanes that run it, and events for whoever watches.

A job keeps what it said (progress, partial answers) as numbered events, so a watcher that comes late or comes back
misses nothing. Cancelling asks the work to stop at its next report; what it has paid for by then is kept.
"""

from __future__ import annotations

import asyncio
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from suffice.errors import SufficeError
from suffice.serve.problems import BusyError, HttpError, status_of

State = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
KEPT_MAX = 200


class CancelledError(SufficeError):
    """Somebody asked the job to stop."""


@dataclass(frozen=True)
class Event:
    """Something a job said."""

    number: int
    kind: str
    data: dict[str, Any]


@dataclass
class Job:
    """One piece of work.

    Attributes:
        kind: what it does, such as ``sql``.
        asked: the request, for people.
        value: what the work returned; it stays with the server.
    """

    id: str
    kind: str
    asked: str
    owner: str
    state: State = "waiting"
    error: tuple[int, str] | None = None
    value: Any = None
    created_s: float = field(default_factory=time.time)
    ended_s: float | None = None
    events: list[Event] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    wakers: set[Callable[[], object]] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)

    def say(self, kind: str, data: dict[str, Any]) -> None:
        """Note an event; raises :class:`CancelledError` when the job shall stop."""
        with self.lock:
            self.events.append(Event(len(self.events) + 1, kind, data))
        self._wake()
        if self.stop.is_set():
            raise CancelledError("cancelled; what was computed until then is kept")

    def progress(self, what: str, done: int, total: int) -> None:
        """How far `what` is."""
        self.say("progress", {"what": what, "done": done, "total": total})

    def result(self, data: dict[str, Any]) -> dict[str, Any]:
        """Tell the outcome, which then is the job's; gives `data` back."""
        self.say("result", data)
        return data

    def end(self, state: State, error: tuple[int, str] | None = None) -> None:
        with self.lock:
            self.state, self.error, self.ended_s = state, error, time.time()
            self.events.append(Event(len(self.events) + 1, state, {"error": error[1]} if error else {}))
        self._wake()

    async def wait(self, seconds: float) -> bool:
        """Whether the job ends within `seconds`. Those who wait hold no thread, so any number may."""
        return await self._until(lambda: self.state in ENDED, seconds)

    async def since(self, number: int, seconds: float) -> list[Event]:
        """Events after `number`, waiting at most `seconds` for the first of them."""
        await self._until(lambda: len(self.events) > number, seconds)
        return self.events[number:]

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        waker = partial(loop.call_soon_threadsafe, changed.set)
        self.wakers.add(waker)
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            return holds()
        finally:
            self.wakers.discard(waker)
        return True

    def _wake(self) -> None:
        for waker in tuple(self.wakers):
            with suppress(RuntimeError):  # its loop is closed: nobody waits there any more
                waker()


Run = Callable[[Job, int], Any]
"""The work: (job, lane) -> value."""


class Jobs:
    """A queue and its lanes. Each lane is one thread, so what belongs to it (a connection) needs no lock."""

    def __init__(self, lanes: int, queue_max: int) -> None:
        self._queue: queue.Queue[tuple[Job, Run] | None] = queue.Queue(queue_max)
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._by_key: dict[tuple[str, str], tuple[str, str]] = {}
        self._lock = threading.Lock()
        self._mean_s = 1.0
        self._threads = [threading.Thread(target=self._work, args=(lane,), daemon=True) for lane in range(lanes)]
        for thread in self._threads:
            thread.start()

    def submit(self, kind: str, asked: str, run: Run, *, owner: str, key: str | None = None) -> Job:
        """Queue work; the same idempotency `key` of the same owner gives the same job.

        Raises:
            HttpError: 409 when the key stands for another request, 429 when the queue is full.
        """
        with self._lock:
            if key is not None and (owner, key) in self._by_key:
                number, before = self._by_key[owner, key]
                if before != f"{kind}\n{asked}":
                    raise HttpError(409, f"the idempotency key {key[:80]!r} stands for another request")
                if number in self._jobs:
                    return self._jobs[number]
            job = Job(secrets.token_hex(8), kind, asked, owner)
            try:
                self._queue.put_nowait((job, run))
            except queue.Full:
                wait_s = self._mean_s * self._queue.maxsize / len(self._threads)
                raise BusyError(f"{self._queue.maxsize} jobs are waiting already", wait_s) from None
            self._jobs[job.id] = job
            if key is not None:
                self._by_key[owner, key] = (job.id, f"{kind}\n{asked}")
            self._forget()
        return job

    def get(self, number: str) -> Job:
        with self._lock:
            if number not in self._jobs:
                raise HttpError(404, f"there is no job {number[:80]!r}; the last {KEPT_MAX} are kept")
            return self._jobs[number]

    def __iter__(self) -> Iterator[Job]:
        """Newest first."""
        with self._lock:
            return iter([*reversed(self._jobs.values())])

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def cancel(self, job: Job) -> None:
        """Ask `job` to stop; one that waits never starts."""
        job.stop.set()

    def close(self) -> None:
        """Stop the lanes; running jobs are asked to stop."""
        for job in self:
            job.stop.set()
        for _ in self._threads:
            self._queue.put(None)
        for thread in self._threads:
            thread.join(10)

    def _forget(self) -> None:
        ended = [number for number, job in self._jobs.items() if job.state in ENDED]
        for number in ended[: max(0, len(self._jobs) - KEPT_MAX)]:
            del self._jobs[number]
        if len(self._by_key) > 10 * KEPT_MAX:
            self._by_key = {k: v for k, v in self._by_key.items() if v[0] in self._jobs}

    def _work(self, lane: int) -> None:
        while (item := self._queue.get()) is not None:
            job, run = item
            started = time.perf_counter()
            self._run(job, run, lane)
            self._mean_s += 0.1 * (time.perf_counter() - started - self._mean_s)

    def _run(self, job: Job, run: Run, lane: int) -> None:
        if job.stop.is_set():
            return job.end("cancelled")
        job.state = "running"
        try:
            job.value = run(job, lane)
        except CancelledError as error:
            return job.end("cancelled", (409, str(error)))
        except HttpError as error:
            return job.end("failed", (error.status, error.detail))
        except SufficeError as error:
            return job.end("failed", (status_of(error), str(error)))
        except Exception as error:
            _log(error)
            return job.end(
                "failed", (500, f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            )
        job.end("done")


def _log(error: Exception) -> None:
    import logging

    logging.getLogger("suffice.serve").error("a job failed", exc_info=error)
