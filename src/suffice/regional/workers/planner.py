"""The planner: holds the course of every request, decides every step, and lets the workers do it.

A request's warm-up runs whole on one worker; then its regions are shared out, all workers run one whole step together
(which fills their caches), and from there on each worker is told which of its tiles run. The latents and the solver
stay here, so a lost worker costs no more than the steps since the last whole one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from suffice.regional.attention_maps import AttentionRecorder
from suffice.regional.regions import share_out
from suffice.regional.schedule.board import Board
from suffice.regional.schedule.owners import choose_owners
from suffice.regional.schedule.policy import GapFilling, Policy
from suffice.regional.schedule.unit import Unit
from suffice.regional.workers import messages as say
from suffice.regional.workers.fleet import Fleet, Lost, WorkerError

if TYPE_CHECKING:
    from suffice.regional.course import Course, StepPlan
    from suffice.regional.denoiser import Condition

LOST_MAX = 3
AHEAD = 1  # orders a worker has beside the one it follows
UNEVEN = 1.5  # the slowest worker's time for its part against the mean, from which on regions are shared out anew


@dataclass
class Running:
    """A request on its way. owned: tiles of each rank; owners: who has any. in_step: whether they wait for each other
    in the step that runs. parts: the noise that came back of it."""

    number: int
    course: Course
    deadline_s: float = float("inf")
    owned: tuple[say.Tiles, ...] = ()
    owners: tuple[int, ...] = ()
    in_step: bool = True
    recorder: Any = None
    plan: StepPlan | None = None
    tiles: tuple[say.Tiles, ...] = ()
    parts: dict[int, Any] = field(default_factory=dict)
    safe: Course | None = None
    begun: bool = False
    finished_s: float = 0.0
    seconds_of: dict[str, float] = field(default_factory=dict)


@dataclass
class Tally:
    """What all requests took. busy_s: of each rank. flops_dense: of one whole step."""

    flops: int = 0
    flops_dense: int = 0
    bytes_sent: int = 0
    bytes_by_kind: dict[str, int] = field(default_factory=dict)
    bytes_by_step: list[int] = field(default_factory=list)
    busy_s: dict[int, float] = field(default_factory=dict)
    replaced: int = 0


class Planner:
    """Runs courses on a fleet.

    exchange (see ``workers/peers.py``): ``sync``; ``stale`` between whole steps; ``strips``, stale for good after the
    first whole step, as DistriFusion runs.
    """

    def __init__(
        self,
        fleet: Fleet,
        exchange: str = "sync",
        policy: Policy | None = None,
        lost_max: int = LOST_MAX,
    ) -> None:
        import torch.distributed as dist

        self.fleet, self.exchange, self.lost_max = fleet, exchange, lost_max
        policy = policy or GapFilling()
        self.board, self.in_flight_max = Board(policy, fleet.ranks, ahead=AHEAD), getattr(policy, "in_flight_max", 1)
        self.tally = Tally()
        self.epoch = 0
        self._store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        self._requests: dict[int, Running] = {}
        self._submitted = 0
        self._tile_s = 0.0
        self._rank_tile_s: dict[int, float] = {}
        self._stepped: Callable[[int, StepPlan], None] = lambda number, plan: None
        self._await(dict.fromkeys(fleet.ranks, say.Ready))
        self._meet()

    def run(
        self,
        courses: Sequence[Course],
        stepped: Callable[[int, StepPlan], None] = lambda number, plan: None,
        deadlines_s: Sequence[float] | None = None,
    ) -> list[Running]:
        """Denoise all `courses`; their latents are the result. Raises :class:`WorkerError` beyond `lost_max` losses."""
        self._stepped = stepped
        deadlines_s = deadlines_s or [float("inf")] * len(courses)
        done = [self.submit(course, deadline) for course, deadline in zip(courses, deadlines_s, strict=True)]
        while self._requests:
            self.turn()
        return done

    def submit(self, course: Course, deadline_s: float = float("inf")) -> Running:
        """Take a request; it starts as soon as the policy lets it."""
        running = Running(self._submitted, course, deadline_s)
        running.recorder = AttentionRecorder(len(course.latents))
        self._requests[running.number] = running
        self._submitted += 1
        self._offer(running)
        return running

    def turn(self, seconds: float = 0.2) -> None:
        """Hand out what can be, then hear what was done."""
        self._hand_out()
        heard = self.fleet.poll(seconds)
        lost = [rank for rank, reply in heard if isinstance(reply, Lost)]
        if lost:
            self._recover(lost)
            return
        for rank, reply in heard:
            if isinstance(reply, say.Failed):
                raise WorkerError(f"worker {rank}: {reply.message}")
        done = [self._hear(rank, reply) for rank, reply in heard if isinstance(reply, say.Done)]
        self._hand_out()  # before the solvers take their time
        for running in done:
            if running is not None:
                self._absorb(running)

    def _hand_out(self) -> None:
        for rank in sorted(self.fleet.ranks, key=lambda one: not self.board.free(one)):
            if (unit := self.board.next_for(rank, time.perf_counter())) is not None:
                self._order(self._requests[unit.request], rank)

    def _order(self, running: Running, rank: int) -> None:
        plan, course = running.plan, running.course
        assert plan is not None
        latents = _array(course.network_input()[: len(course.latents)])
        step_time = _array(course.scheduler.timesteps[plan.step])
        if plan.kind == "warmup":
            told = _told(course.condition)
            warm = say.Warm(running.number, plan.step, step_time, latents, course.recording, course.grid, told)
            self.fleet.send(rank, warm)
            return
        self._step(running, rank, latents)
        running.parts.setdefault(rank, None)

    def _step(self, running: Running, rank: int, latents: Any) -> None:
        plan = running.plan
        assert plan is not None
        whole, time_step = plan.kind == "whole", _array(running.course.scheduler.timesteps[plan.step])
        step = say.Step(running.number, plan.step, time_step, latents, running.tiles, running.in_step, whole)
        self.fleet.send(rank, step)

    def _offer(self, running: Running) -> None:
        """Decide the next step of a request and put it up."""
        plan = running.plan = running.course.plan()
        running.parts = {}
        if plan.kind == "warmup":
            self.board.put_up([self._unit(running, (), False)])
            return
        afresh = bool(plan.tiles) and (not running.begun or (plan.kind == "whole" and self._better_shared(running)))
        if afresh:
            self._begin(running)
        running.in_step = self.exchange == "sync" or (plan.kind == "whole" and (afresh or self.exchange == "stale"))
        if plan.kind == "whole":
            running.safe = running.course.snapshot()
        active = set(plan.tiles)
        running.tiles = tuple(tuple(tile for tile in owned if tile in active) for owned in running.owned)
        takers = tuple(rank for rank, tiles in enumerate(running.tiles) if tiles)
        if not takers:
            self._absorb(running)
            return
        self._tell_resting(running, takers)
        if running.in_step and len(takers) > 1:
            self.board.put_up([self._unit(running, takers, True)])
        else:
            self.board.put_up([self._unit(running, (rank,), False) for rank in takers])

    def _unit(self, running: Running, takers: tuple[int, ...], together: bool) -> Unit:
        plan, course = running.plan, running.course
        assert plan is not None
        tiles = max((len(running.tiles[rank]) for rank in takers), default=course.grid.count)
        left_s = self._tile_s * course.grid.count * (course.settings.steps - plan.step)
        return Unit(
            running.number, plan.step, plan.kind, takers, together, running.deadline_s, left_s, self._tile_s * tiles
        )

    def _tell_resting(self, running: Running, takers: Sequence[int]) -> None:
        """Who rests must know who ran, to make sense of what it is sent."""
        for rank in running.owners:
            if rank not in takers:
                self._step(running, rank, _array(running.course.latents[:0]))

    def _better_shared(self, running: Running) -> bool:
        """Whether other workers fit better by now, or one is so slow that sharing the regions out anew pays; a whole
        step makes that free."""
        if self._owners(running) != running.owners:
            return True
        slow_s = [self._rank_tile_s.get(rank, 0.0) * len(running.owned[rank]) for rank in running.owners]
        return min(slow_s) > 0 and max(slow_s) > UNEVEN * sum(slow_s) / len(slow_s)

    def _owners(self, running: Running) -> tuple[int, ...]:
        others = {one.number: one.owners for one in self._requests.values() if one is not running}
        policy, ranks = self.board.policy, self.fleet.ranks
        return choose_owners(policy, ranks, others, running.deadline_s, self._speeds(ranks), running.owners)

    def _speeds(self, ranks: Sequence[int]) -> dict[int, float] | None:
        """Of each, once all have been seen at work."""
        if any(rank not in self._rank_tile_s for rank in ranks):
            return None
        return {rank: 1 / self._rank_tile_s[rank] for rank in ranks}

    def _begin(self, running: Running) -> None:
        course = running.course
        weights = [sum(course.costs[tile] for tile in region) for region in course.regions]
        running.begun, running.owners = True, self._owners(running)
        speeds = self._speeds(running.owners)
        shares = share_out(weights, len(running.owners), list(speeds.values()) if speeds else None)
        rest = _in_parts(course.grid.count, course.regions, len(shares))
        owned = {
            rank: tuple(sorted([*(tile for region in share for tile in course.regions[region]), *more]))
            for rank, share, more in zip(running.owners, shares, rest, strict=True)
        }
        running.owned = tuple(owned.get(rank, ()) for rank in self.fleet.ranks)
        begin = say.Begin(running.number, course.grid, _told(course.condition), running.owned, course.step)
        for rank in running.owners:
            self.fleet.send(rank, begin)

    def _hear(self, rank: int, reply: say.Done) -> Running | None:
        """Take a part in; its request, when that was the last part of a step."""
        running = self._requests[reply.request]
        self._count(rank, reply)
        running.parts[rank] = reply
        return running if self.board.done(rank) else None

    def _count(self, rank: int, reply: say.Done) -> None:
        tally = self.tally
        tiles = reply.noise.shape[1]
        each_s = (reply.seconds - reply.waited_s) / tiles
        self._tile_s = _smoothed(self._tile_s, each_s)
        self._rank_tile_s[rank] = _smoothed(self._rank_tile_s.get(rank, 0.0), each_s)
        tally.flops += reply.flops
        tally.bytes_sent += reply.bytes_sent
        tally.busy_s[rank] = tally.busy_s.get(rank, 0.0) + reply.seconds - reply.waited_s
        for kind, sent in reply.bytes_by_kind.items():
            tally.bytes_by_kind[kind] = tally.bytes_by_kind.get(kind, 0) + sent

    def _absorb(self, running: Running) -> None:
        plan, course = running.plan, running.course
        assert plan is not None
        done = [one for one in running.parts.values() if one]
        self.tally.bytes_by_step.append(sum(one.bytes_sent for one in done))
        if plan.kind == "whole":
            self.tally.flops_dense = sum(one.flops for one in done)
        course.absorb(plan, self._noise(running), running.recorder)
        self._stepped(running.number, plan)
        if course.finished:
            self._end(running)
        else:
            self._offer(running)

    def _noise(self, running: Running) -> Any:
        """The parts of all ranks as one tensor, tiles in order."""
        import torch

        plan, course = running.plan, running.course
        assert plan is not None
        if plan.kind == "warmup":
            (reply,) = running.parts.values()
            _add_attention(running.recorder, reply)
            return torch.as_tensor(reply.noise).to(course.latents)
        sides, tile = course.condition.batch, course.grid.tile
        noise = course.latents.new_zeros((sides, course.grid.count, course.latents.shape[1], tile, tile))
        for rank, reply in running.parts.items():
            noise[:, list(running.tiles[rank])] = torch.as_tensor(reply.noise).to(noise)
        return noise[:, list(plan.tiles)]

    def _end(self, running: Running) -> None:
        running.finished_s = time.perf_counter()
        self.board.finish(running.number)
        del self._requests[running.number]
        for rank in self.fleet.ranks:
            self.fleet.send(rank, say.End(running.number))

    def _meet(self) -> None:
        """All ranks join a new group."""
        for rank in self.fleet.ranks:
            self.fleet.send(rank, say.Join(self.epoch, rank, len(self.fleet.ranks), self._store.port))
        self._await(dict.fromkeys(self.fleet.ranks, say.Joined))

    def _recover(self, lost: Sequence[int]) -> None:
        """Replace lost workers; every request goes on from its last whole step, so its picture is the same."""
        self.tally.replaced += len(lost)
        if self.tally.replaced > self.lost_max:
            said = ", ".join(map(str, lost))
            raise WorkerError(f"worker {said} is lost, {self.tally.replaced} in all: more than {self.lost_max}")
        self.epoch += 1
        others = [rank for rank in self.fleet.ranks if rank not in lost]
        for rank in lost:
            self.fleet.replace(rank)
        for rank in others:
            self.fleet.send(rank, say.Abort(self.epoch))
        self._await({**dict.fromkeys(others, say.Aborted), **dict.fromkeys(lost, say.Ready)})
        self._meet()
        self.board.clear()
        for running in self._requests.values():
            self._go_back(running)

    def _go_back(self, running: Running) -> None:
        if running.safe is not None:
            running.course.restore(running.safe)
        running.begun = False
        self._offer(running)

    def _await(self, wanted: dict[int, type]) -> None:
        """Until each rank has said a message of its kind; anything else from before is dropped."""
        missing = dict(wanted)
        while missing:
            for rank, reply in self.fleet.poll(1.0):
                if isinstance(reply, Lost):
                    raise WorkerError(f"worker {rank} was lost while the workers met")
                if isinstance(reply, say.Failed):
                    raise WorkerError(f"worker {rank}: {reply.message}")
                if isinstance(reply, missing.get(rank, ())):
                    del missing[rank]


def _add_attention(recorder: Any, reply: say.Done) -> None:
    import torch

    for cells, (words, count) in reply.attention.items():
        seen = torch.as_tensor(words)
        recorder.sums[cells] = recorder.sums[cells] + seen if cells in recorder.sums else seen
        recorder.counts[cells] += count


def _in_parts(tiles: int, regions: Sequence[say.Tiles], parts: int) -> list[list[int]]:
    """Tiles of no region (outside an inpainting mask) run in whole steps only; somebody must own them."""
    inside = {tile for region in regions for tile in region}
    rest = [tile for tile in range(tiles) if tile not in inside]
    return [rest[len(rest) * part // parts : len(rest) * (part + 1) // parts] for part in range(parts)]


def _smoothed(before: float, now: float) -> float:
    return 0.7 * before + 0.3 * now if before else now


def _array(tensor: Any) -> Any:
    return tensor.cpu().numpy() if not tensor.is_floating_point() else tensor.float().cpu().numpy()


def _told(condition: Condition) -> say.Told:
    added = None if condition.added is None else {name: _array(one) for name, one in condition.added.items()}
    hint = None if condition.hint is None else _array(condition.hint)
    return say.Told(_array(condition.text), added, hint, condition.strength, condition.frames)
