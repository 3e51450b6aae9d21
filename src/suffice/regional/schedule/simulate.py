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
    """latency_s of each request; busy_s of each worker; late: requests that missed their deadline. backlog_s: how long
    a further request waited to begin, all workers together; backlog_busy_s: what they worked in that time."""

    makespan_s: float
    latency_s: list[float]
    busy_s: list[float]
    late: int
    backlog_s: float
    backlog_busy_s: float

    @property
    def utilisation(self) -> float:
        return sum(self.busy_s) / (self.makespan_s * len(self.busy_s))

    @property
    def utilisation_in_backlog(self) -> float:
        """While a further request waits to begin; the last ones of a trace leave workers idle in any way of running."""
        return self.backlog_busy_s / self.backlog_s if self.backlog_s else 1.0

    def as_json(self) -> dict[str, Any]:
        import numpy as np

        p50, p99 = np.percentile(self.latency_s, [50, 99])
        return {
            "requests": len(self.latency_s),
            "makespan_s": round(self.makespan_s, 3),
            "utilisation": round(self.utilisation, 4),
            "in_backlog": round(self.utilisation_in_backlog, 4),
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
        self.begun_s: dict[int, float] = {}
        self.finished_s: dict[int, float] = {}
        self._spans: list[tuple[float, float]] = []
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
        waiting = _joined([(one.arrival_s, self.begun_s[number]) for number, one in enumerate(self.trace)])
        backlog_s = len(self.speeds) * sum(end - start for start, end in waiting)
        in_backlog_s = sum(_overlap_s(span, one) for span in self._spans for one in waiting)
        return Outcome(now - self.trace[0].arrival_s, latency, self.busy_s, late, backlog_s, in_backlog_s)

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
            self._owners[number] = choose_owners(
                self.board.policy,
                workers,
                others,
                request.deadline_s,
                dict(enumerate(self.speeds)),
                self._owners.get(number, ()),
            )
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
        self.begun_s.setdefault(unit.request, now)
        for worker, taken in zip(workers, seconds, strict=True):
            self.busy_s[worker] += taken
            self._spans.append((now, now + taken))
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


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans of time that cover the same, apart from each other."""
    out: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        elif end > start:
            out.append((start, end))
    return out


def _overlap_s(one: tuple[float, float], other: tuple[float, float]) -> float:
    return max(0.0, min(one[1], other[1]) - max(one[0], other[0]))


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
    return Outcome(
        max(one.makespan_s for one in outcomes),
        [taken for one in outcomes for taken in one.latency_s],
        [taken for one in outcomes for taken in one.busy_s],
        sum(one.late for one in outcomes),
        sum(one.backlog_s for one in outcomes),
        sum(one.backlog_busy_s for one in outcomes),
    )
