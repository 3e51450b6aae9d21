"""A cluster on a virtual clock, run by the same policy and board as the real workers.

Requests are shared over groups of workers (a request's `shares` has one entry a worker of its group). Times come from
a cost model fitted on a device; nothing here is a measurement of a cluster.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from suffice.regional.schedule.board import Board
from suffice.regional.schedule.cost import StepCost
from suffice.regional.schedule.owners import choose_owners
from suffice.regional.schedule.policy import Policy
from suffice.regional.schedule.trace import TraceRequest
from suffice.regional.schedule.unit import Unit


@dataclass
class Outcome:
    """latency_s of each request; busy_s of each worker; late: requests that missed their deadline."""

    makespan_s: float
    latency_s: list[float]
    busy_s: list[float]
    late: int = 0

    @property
    def utilisation(self) -> float:
        return sum(self.busy_s) / (self.makespan_s * len(self.busy_s))

    def as_json(self) -> dict[str, Any]:
        import numpy as np

        p50, p99 = np.percentile(self.latency_s, [50, 99])
        return {
            "requests": len(self.latency_s),
            "makespan_s": round(self.makespan_s, 3),
            "utilisation": round(self.utilisation, 4),
            "p50_s": round(float(p50), 3),
            "p99_s": round(float(p99), 3),
            "requests_per_s": round(len(self.latency_s) / self.makespan_s, 4),
            "late": self.late,
        }


class Simulation:
    """`speeds` of one group of workers (1 is the device of `cost`); requests go through `policy`."""

    def __init__(self, trace: Sequence[TraceRequest], speeds: Sequence[float], policy: Policy, cost: StepCost) -> None:
        self.trace, self.speeds, self.cost = trace, speeds, cost
        self.board = Board(policy, range(len(speeds)))
        self.busy_s = [0.0] * len(speeds)
        self.finished_s: dict[int, float] = {}
        self._events: list[tuple[float, int, str, tuple[int, ...], tuple[int, int]]] = []
        self._order = 0
        self._met: dict[tuple[int, int], set[int]] = {}
        self._owners: dict[int, tuple[int, ...]] = {}
        self._planned: dict[tuple[int, int], list[float]] = {}

    def run(self) -> Outcome:
        """To the end of the last request."""
        for number, request in enumerate(self.trace):
            self._at(request.arrival_s, "arrive", (), (number, 0))
        now = 0.0
        while self._events:
            now, _, what, workers, step = heapq.heappop(self._events)
            if what == "arrive":
                self._offer(*step)
            else:
                self._done(now, workers, *step)
            if not self._events or self._events[0][0] > now:
                self._hand_out(now)
        latency = [self.finished_s[number] - one.arrival_s for number, one in enumerate(self.trace)]
        late = sum(self.finished_s[number] > one.deadline_s for number, one in enumerate(self.trace))
        return Outcome(now - self.trace[0].arrival_s, latency, self.busy_s, late)

    def _at(self, when: float, what: str, workers: tuple[int, ...], step: tuple[int, int]) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, what, workers, step))

    def _offer(self, number: int, step: int) -> None:
        request = self.trace[number]
        left = float(request.steps - step)
        shares = self._planned[number, step] = self._shares(number, step)
        takers = tuple(worker for worker, share in enumerate(shares) if share)
        unit = partial(Unit, number, step, deadline_s=request.deadline_s, left_s=left)
        if step < request.warmup_steps:
            self.board.put_up([unit(kind="warmup", seconds=self.cost.dense_s)])
        elif step in request.whole:
            longest = max(self.cost.seconds(share) for share in shares)
            self.board.put_up([unit(kind="whole", workers=takers, together=len(takers) > 1, seconds=longest)])
        elif takers:
            self.board.put_up(unit(kind="some", workers=(w,), seconds=self.cost.seconds(shares[w])) for w in takers)
        else:
            self._advance(number, step)

    def _shares(self, number: int, step: int) -> list[float]:
        """What each worker runs: the trace's parts go to those that own the request, chosen anew at whole steps."""
        request, workers = self.trace[number], range(len(self.speeds))
        if number not in self._owners or step in request.whole:
            others = {other: owners for other, owners in self._owners.items() if other != number}
            self._owners[number] = choose_owners(self.board.policy, workers, others, request.deadline_s)
        owners, shares = self._owners[number], [0.0] * len(self.speeds)
        for part, share in enumerate(request.shares[step]):
            shares[owners[part * len(owners) // len(self.speeds)]] += share
        return shares

    def _advance(self, number: int, step: int) -> None:
        if step + 1 < self.trace[number].steps:
            self._offer(number, step + 1)

    def _hand_out(self, now: float) -> None:
        for worker in range(len(self.speeds)):
            if self.board.free(worker) and (unit := self.board.next_for(worker, now)) is not None:
                self._begin(now, worker, unit)

    def _begin(self, now: float, worker: int, unit: Unit) -> None:
        """Start a unit; what is done together starts when its last worker is there."""
        if not unit.together:
            self._start(now, (worker,), unit)
            return
        met = self._met.setdefault((unit.request, unit.step), set())
        met.add(worker)
        if met == set(unit.workers):
            self._start(now, unit.workers, unit)

    def _start(self, now: float, workers: tuple[int, ...], unit: Unit) -> None:
        seconds = [self._seconds(unit, worker) / self.speeds[worker] for worker in workers]
        for worker, taken in zip(workers, seconds, strict=True):
            self.busy_s[worker] += taken
        self._at(now + max(seconds), "done", workers, (unit.request, unit.step))

    def _seconds(self, unit: Unit, worker: int) -> float:
        share = 1.0 if unit.kind == "warmup" else self._planned[unit.request, unit.step][worker]
        return self.cost.dense_s if share >= 1 else self.cost.seconds(share)

    def _done(self, now: float, workers: tuple[int, ...], number: int, step: int) -> None:
        self._met.pop((number, step), None)
        over = False
        for worker in workers:
            over = self.board.done(worker)
        if not over:
            return
        if step + 1 == self.trace[number].steps:
            self.finished_s[number] = now
            self._owners.pop(number, None)
            self.board.finish(number)
        else:
            self._advance(number, step)


def simulate(
    trace: Sequence[TraceRequest], speeds: Sequence[float], policy: Policy, cost: StepCost, group: int | None = None
) -> Outcome:
    """Run `trace` on workers of `speeds`, in groups of `group` (by default one): requests go to groups in turn.

    A picture is shared by one group; a cluster of hundreds of workers is many groups.
    """
    size = group or len(speeds)
    groups = [speeds[start : start + size] for start in range(0, len(speeds), size)]
    outcomes = [
        Simulation(part, speed, policy, cost).run()
        for number, speed in enumerate(groups)
        if (part := list(trace[number :: len(groups)]))
    ]
    end = max(one.makespan_s for one in outcomes)
    busy = [taken for one in outcomes for taken in one.busy_s]
    return Outcome(end, [taken for one in outcomes for taken in one.latency_s], busy, sum(one.late for one in outcomes))
