"""What is ready, what runs and who is free: the bookkeeping between a policy and the workers, real or simulated."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from suffice.regional.schedule.policy import Policy
from suffice.regional.schedule.unit import Unit


@dataclass
class Board:
    """Units are put up when their step is decided; :meth:`next_for` hands one to a free worker, :meth:`done` takes it
    back.

    A unit that its workers do together becomes a meeting: it is held when the last of them is free. Who is free earlier
    takes what is sure to be done before then (backfilling), else it waits there.

    ahead: units a worker holds beside the one it does. Real workers hold one, so that none waits for the planner to
    hear, to solve and to answer; on a virtual clock that takes no time.
    """

    policy: Policy
    workers: Sequence[int]
    ready: list[Unit] = field(default_factory=list)
    ahead: int = 0
    held: dict[int, list[Unit]] = field(default_factory=lambda: defaultdict(list))
    busy_until_s: dict[int, float] = field(default_factory=dict)
    meetings: dict[Unit, float] = field(default_factory=dict)
    running: list[int] = field(default_factory=list)
    last: dict[int, int] = field(default_factory=dict)
    _left: dict[tuple[int, int], int] = field(default_factory=dict)
    _attending: dict[Unit, set[int]] = field(default_factory=dict)

    def put_up(self, units: Iterable[Unit]) -> None:
        """Offer the units of one step."""
        for unit in units:
            self.ready.append(unit)
            key = (unit.request, unit.step)
            self._left[key] = self._left.get(key, 0) + (len(unit.workers) if unit.together else 1)

    def free(self, worker: int) -> bool:
        """Whether `worker` has nothing to do."""
        return not self.held[worker]

    def next_for(self, worker: int, now_s: float) -> Unit | None:
        """What `worker` takes now; None: nothing for it."""
        return self._now(worker, now_s) if self.free(worker) else self._then(worker, now_s)

    def _then(self, worker: int, now_s: float) -> Unit | None:
        """What a busy worker takes ahead: nothing that others wait for, nor what somebody free could begin now."""
        held = self.held[worker]
        if len(held) > self.ahead or held[-1].together or self._meeting_of(worker) is not None:
            return None
        anybody = not any(self.free(one) for one in self.workers)
        alone = [
            one for one in self.ready if not one.together and (worker in one.workers or (anybody and not one.workers))
        ]
        unit = self._choose(alone, worker)
        return unit and self._take(unit, worker, now_s)

    def _now(self, worker: int, now_s: float) -> Unit | None:
        meeting = self._meeting_of(worker)
        if meeting is not None:
            return self._until(meeting, worker, now_s)
        unit = self._choose([one for one in self.ready if self._open_to(one, worker)], worker)
        if unit is None or not unit.together:
            return unit and self._take(unit, worker, now_s)
        self.ready.remove(unit)
        self.meetings[unit] = max(self.busy_until_s.get(one, now_s) for one in unit.workers)
        return self._until(unit, worker, now_s)

    def _until(self, meeting: Unit, worker: int, now_s: float) -> Unit | None:
        """A unit that ends before the meeting, or the meeting."""
        start_s = self.meetings[meeting]
        short = [one for one in self.ready if not one.together and now_s + one.seconds <= start_s]
        unit = self._choose([one for one in short if self._open_to(one, worker)], worker)
        return self._take(unit or meeting, worker, now_s)

    def _choose(self, units: Sequence[Unit], worker: int) -> Unit | None:
        return self.policy.choose(worker, units, self.last.get(worker), self.running)

    def _open_to(self, unit: Unit, worker: int) -> bool:
        if unit.workers and worker not in unit.workers:
            return False
        return not unit.together or all(self._meeting_of(one) is None for one in unit.workers)

    def _meeting_of(self, worker: int) -> Unit | None:
        return next((one for one in self.meetings if worker in one.workers), None)

    def _take(self, unit: Unit, worker: int, now_s: float) -> Unit:
        if unit.together:
            self._attend(unit, worker)
        else:
            self.ready.remove(unit)
        self.busy_until_s[worker] = unit.seconds + (now_s if self.free(worker) else self.busy_until_s[worker])
        self.held[worker].append(unit)
        self.last[worker] = unit.request
        if unit.request not in self.running:
            self.running.append(unit.request)
        return unit

    def _attend(self, meeting: Unit, worker: int) -> None:
        """The last to come ends the waiting."""
        attending = self._attending.setdefault(meeting, set())
        attending.add(worker)
        if attending == set(meeting.workers):
            del self.meetings[meeting], self._attending[meeting]

    def done(self, worker: int) -> bool:
        """Take back what `worker` did, the first that it holds; whether that was the last part of its step."""
        unit = self.held[worker].pop(0)
        key = (unit.request, unit.step)
        self._left[key] -= 1
        if self._left[key]:
            return False
        del self._left[key]
        return True

    def finish(self, request: int) -> None:
        """A request is over."""
        self.running.remove(request)

    def clear(self) -> None:
        """Drop everything (workers were lost), but remember which requests have begun."""
        for kept in (self.ready, self.held, self.meetings, self._attending, self._left, self.busy_until_s):
            kept.clear()
