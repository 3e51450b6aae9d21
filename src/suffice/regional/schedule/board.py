"""What is ready, what runs and who is free: the bookkeeping between a policy and the workers, real or simulated."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from suffice.regional.schedule.policy import Policy
from suffice.regional.schedule.unit import Unit


@dataclass
class Board:
    """Units are put up when their step is decided; :meth:`next_for` hands one out, :meth:`done` takes it back.

    A unit with several workers that need not start together is put up once a worker. One whose workers start together
    is handed to all of them at once: they finish what they do, then meet.
    """

    policy: Policy
    workers: Sequence[int]
    ready: list[Unit] = field(default_factory=list)
    queues: dict[int, deque[Unit]] = field(default_factory=dict)
    running: list[int] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)
    _left: dict[tuple[int, int], int] = field(default_factory=dict)

    def put_up(self, units: Iterable[Unit]) -> None:
        """Offer the units of one step."""
        for unit in units:
            self.ready.append(unit)
            key = (unit.request, unit.step)
            self._left[key] = self._left.get(key, 0) + (len(unit.workers) if unit.together else 1)

    def free(self, worker: int) -> bool:
        """Whether `worker` has nothing to do."""
        return not self.queues.get(worker)

    def next_for(self, worker: int) -> tuple[Unit, tuple[int, ...]] | None:
        """What free `worker` takes now, and all who take it with it; None: nothing for it."""
        fitting = [unit for unit in self.ready if not unit.workers or worker in unit.workers]
        unit = self.policy.choose(worker, fitting, self.last.get(worker), self.running)
        if unit is None:
            return None
        self.ready.remove(unit)
        takers = unit.workers if unit.together else (worker,)
        for taker in takers:
            self.queues.setdefault(taker, deque()).append(unit)
            self.last[taker] = unit.request
        if unit.request not in self.running:
            self.running.append(unit.request)
        return unit, takers

    def done(self, worker: int, request: int, step: int) -> bool:
        """Take back what `worker` did; whether that was the last part of the step."""
        queue = self.queues[worker]
        queue.remove(next(unit for unit in queue if (unit.request, unit.step) == (request, step)))
        key = (request, step)
        self._left[key] -= 1
        if self._left[key]:
            return False
        del self._left[key]
        return True

    def finish(self, request: int) -> None:
        """A request is over."""
        self.running.remove(request)

    def clear(self) -> list[int]:
        """Drop everything (workers were lost); the requests that were running."""
        self.ready.clear()
        self.queues.clear()
        self._left.clear()
        return list(self.running)
