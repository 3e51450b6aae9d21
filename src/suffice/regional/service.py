"""A queue of requests before one fleet of workers: takes them while there is room, else says when to come back."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.errors import SufficeError, UsageError
from suffice.regional.memory import room_for
from suffice.regional.settings import RequestSettings

if TYPE_CHECKING:
    from suffice.media.image import Image
    from suffice.regional.model import Model
    from suffice.regional.workers.planner import Planner, Running

FIRST_GUESS_S = 5.0


class QueueFullError(SufficeError):
    """No room now. retry_s: when there should be."""

    def __init__(self, waiting: int, retry_s: float) -> None:
        super().__init__(
            f"{waiting} requests are waiting, which is all there is room for: try again in {retry_s:.0f} s"
        )
        self.retry_s = retry_s


@dataclass
class Service:
    """Feeds one planner from a queue of at most `waiting_max` requests; :meth:`serve` is the loop of one thread.

    A request waits while it does not fit in `memory_max` bytes (by default what is free now) beside those that run, and
    is refused when it would not fit alone.
    """

    model: Model
    planner: Planner
    waiting_max: int = 16
    memory_max: int | None = None
    taken_s: deque[float] = field(default_factory=lambda: deque([FIRST_GUESS_S], maxlen=20))
    _orders: deque[tuple[RequestSettings, float, Future[Any]]] = field(default_factory=deque)
    _open: dict[int, tuple[Running, float, Future[Any]]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: bool = False

    def __post_init__(self) -> None:
        self._room = room_for(self.model.networks, len(self.planner.fleet.ranks), self.memory_max)

    def submit(self, asked: RequestSettings) -> Future[list[Image]]:
        """Queue a request; its pictures come in the future. Raises :class:`QueueFullError`, :class:`UsageError`."""
        asked.check()
        if asked.frames > 1:
            raise UsageError("the service draws pictures: for a clip, suffice regional run --frames")
        future: Future[list[Image]] = Future()
        with self._lock:
            if len(self._orders) >= self.waiting_max:
                raise QueueFullError(len(self._orders), self.retry_s())
            self._orders.append((asked, time.monotonic(), future))
        return future

    def retry_s(self) -> float:
        """When a place should be free: what a request takes, by the requests done of late."""
        return max(1.0, sum(self.taken_s) / len(self.taken_s) / max(1, len(self._open)))

    def state(self) -> dict[str, Any]:
        """Waiting, running, and how long a request takes."""
        taken = sum(self.taken_s) / len(self.taken_s)
        return {"waiting": len(self._orders), "running": len(self._open), "seconds_each": round(taken, 3)}

    def serve(self) -> None:
        """Until :meth:`stop`; what fails fails alone, but lost workers beyond the limit end it for all."""
        try:
            while not self._stopped:
                self._take_in()
                if not self._open:
                    time.sleep(0.02)
                    continue
                self.planner.turn(0.05)
                self._hand_back()
        except SufficeError as error:
            self._fail_all(error)
            raise

    def stop(self) -> None:
        """After this turn."""
        self._stopped = True

    def _take_in(self) -> None:
        while self._orders and len(self._open) < self.planner.in_flight_max:
            asked, since, future = self._orders[0]
            try:
                course = self.model.course(asked)
                if not self._room.fits(course, [running.course for running, _, _ in self._open.values()]):
                    return
                running = self.planner.submit(course)
            except SufficeError as error:
                future.set_exception(error)
            else:
                self._open[running.number] = (running, since, future)
            with self._lock:
                self._orders.popleft()

    def _hand_back(self) -> None:
        for number, (running, since, future) in list(self._open.items()):
            if running.course.finished:
                del self._open[number]
                self.taken_s.append(time.monotonic() - since)
                future.set_result(self.model.decode(running.course.latents))

    def _fail_all(self, error: SufficeError) -> None:
        for _, _, future in [*self._open.values(), *self._orders]:
            future.set_exception(error)
