"""Profile a tree of processes, then watch it and keep it out of the way."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from suffice.federated.pace import waits
from suffice.federated.pace.choice import Choice, all_choices, core_capacity
from suffice.federated.pace.controller import Controller
from suffice.federated.pace.place import place
from suffice.federated.pace.process import energy_j, give_way, machine_busy_s, move_to, threads_used
from suffice.federated.pace.profile import Profile, disturbed, keeps_up, prune
from suffice.federated.pace.steps import ask_threads, read_counter

_STRETCHES = 20
_OVERSLEPT = 2.0
"""A stretch that took so many times as long as asked saw the work, or the thread that watches, stopped for a while."""
_CLOSE = 1.5
_AGAIN_MAX_S = 600.0
_SLICE_NS = 20_000_000
"""Of the thread that watches: shorter than those of what it watches, which then lets it in, and longer than others'."""


@dataclass(frozen=True)
class Timing:
    """Seconds: `start_s` to wait for the first step at most, `profile_s` to measure a choice, `window_s` between two
    looks, `retry_s` until a way that was left is tried again, `again_s` until ways to run that were nearly as good are
    measured anew (four times as long each time, ten minutes at most)."""

    start_s: float = 15.0
    profile_s: float = 1.0
    window_s: float = 0.25
    retry_s: float = 5.0
    again_s: float = 8.0


@dataclass(frozen=True)
class Terms:
    """How a pace is kept, whatever it is that is paced.

    Attributes:
        choices: ways to run; None for :func:`~suffice.federated.pace.choice.all_choices`.
        niceness: 0 to 19; None for work that anybody may interrupt at once (see
            :func:`~suffice.federated.pace.process.give_way`). On a machine that is always busy such work makes hardly
            any progress: give it a number there.
        too_hot: asked at every look; while it says so the work runs as gently as it can (a battery or thermal hook).
    """

    choices: Sequence[Choice] | None = None
    timing: Timing = Timing()
    niceness: int | None = None
    too_hot: Callable[[], bool] = lambda: False


class Watched(NamedTuple):
    """Every choice measured; those kept, fastest first; and (monotonic second, choice) at each change."""

    profiles: list[Profile]
    chain: list[Profile]
    moves: list[tuple[float, Choice]]


class _Reading(NamedTuple):
    time_s: float
    steps: int
    threads: waits.Threads
    energy_j: float | None
    machine_s: float


class _Stretch(NamedTuple):
    profile: Profile
    end_s: float
    waited_s: dict[int, float]
    team: list[int]
    """Its threads, where they are as many as its cores."""
    whole: bool = True
    """False where it was stopped for a while, so that its seconds say nothing."""


@dataclass(frozen=True)
class Paced:
    """The process `pid` and those under it, which count their steps in the file `counter`, until `over` is set."""

    pid: int
    counter: Path
    over: threading.Event

    def stretch(self, choice: Choice, seconds: float, last: _Stretch | None = None) -> _Stretch | None:
        """How the next `seconds` under `choice` went; None when it is over, or nothing was done. `last` is the stretch
        before."""
        ask_threads(self.counter, choice.threads)
        move_to(self.pid, choice.cores, last.team if last is not None and last.profile.choice == choice else ())
        before = after = self.read()
        for _ in range(_STRETCHES):
            # On a machine that others use up an idle process may not run at all for a while.
            self.over.wait(seconds)
            after = self.read()
            if self.over.is_set() or waits.run_s(before.threads, after.threads) > 0:
                break
        if self.over.is_set() or waits.run_s(before.threads, after.threads) <= 0:
            return None
        active = waits.active(before.threads, after.threads)
        team = active if len(active) == len(choice.cores) else []
        waited_s = waits.waited_s(before.threads, after.threads)
        whole = after.time_s - before.time_s < _OVERSLEPT * seconds
        return _Stretch(_between(choice, before, after), after.time_s, waited_s, team, whole)

    def read(self) -> _Reading:
        threads = threads_used(self.pid)
        threads.pop(threading.get_native_id(), None)
        return _Reading(time.monotonic(), read_counter(self.counter), threads, energy_j(), machine_busy_s())


def supervise(paced: Paced, terms: Terms) -> Watched:
    """Profile, then watch until it is over. The calling thread gives way too: woken four times a second, a thread like
    any other would be what keeps a foreground waiting."""
    at_once = give_way(threading.get_native_id(), terms.niceness, slice_ns=_SLICE_NS)
    # Before anything moves this thread, which may be one of the process that is paced.
    capacity = core_capacity()
    _await_steps(paced, terms.timing)
    profiles = _profile(paced, terms.choices or all_choices(capacity), terms.timing)
    moves: list[tuple[float, Choice]] = []
    again_s = terms.timing.again_s
    while profiles and not paced.over.is_set():
        controller = Controller(prune(profiles.values()), too_hot=terms.too_hot, retry_s=terms.timing.retry_s)
        rivals = _close(profiles)
        seconds = again_s if len(rivals) > 1 else math.inf
        for move in _watch(paced, controller, terms, capacity, seconds, at_once=at_once):
            if not moves or moves[-1][1] != move[1]:
                moves.append(move)
        again_s = min(4 * again_s, _AGAIN_MAX_S)
        profiles |= _profile(paced, rivals, terms.timing)
    return Watched(list(profiles.values()), prune(profiles.values()), moves)


def _close(profiles: Mapping[Choice, Profile]) -> list[Choice]:
    """Those that another look may find to be the fastest: the first saw what the machine did at that moment."""
    fastest_s = min(profile.step_s for profile in profiles.values())
    return [choice for choice, profile in profiles.items() if profile.step_s < _CLOSE * fastest_s]


def _await_steps(paced: Paced, timing: Timing) -> None:
    """Imports and compilation say nothing about a step: measuring begins with the third."""
    end_s = time.monotonic() + timing.start_s
    while time.monotonic() < end_s and not paced.over.is_set() and read_counter(paced.counter) < 3:
        paced.over.wait(0.05)


def _profile(paced: Paced, choices: Sequence[Choice], timing: Timing) -> dict[Choice, Profile]:
    """Each choice four times, in turn and turned back, and the best of these: a machine that is half as fast for a few
    seconds should be so for all of them. The first quarter of a look is for settling in."""
    best: dict[Choice, Profile] = {}
    for choice in 2 * [*choices, *reversed(choices)]:
        found = _look(paced, choice, timing)
        if found is not None and not found.whole:
            found = _look(paced, choice, timing)
        if found is not None and (choice not in best or found.profile.step_s < best[choice].step_s):
            best[choice] = found.profile
    return {choice: best[choice] for choice in choices if choice in best}


def _look(paced: Paced, choice: Choice, timing: Timing) -> _Stretch | None:
    settled = paced.stretch(choice, timing.profile_s / 16)
    return paced.stretch(choice, timing.profile_s * 3 / 16, settled)


def _watch(
    paced: Paced,
    controller: Controller,
    terms: Terms,
    capacity: Mapping[int, float],
    seconds: float,
    *,
    at_once: bool,
) -> Iterator[tuple[float, Choice]]:
    """Run by the controller until it is over, or for `seconds` and on until nobody is in the way; yields (moment,
    choice) at every look.

    Work that anybody may interrupt `at_once` harms nobody by being on many cores, so it stays while that pays."""
    found: _Stretch | None = None
    watched_s = 0.0
    alone: dict[Choice, Profile] = {}
    waited_s: dict[int, float] = {}
    while not paced.over.is_set() and not (controller.calm and watched_s > seconds):
        watched_s += terms.timing.window_s
        profile = controller.current
        choice = place(profile.choice, waited_s, capacity, yields_at_once=terms.niceness is None)
        found = paced.stretch(choice, terms.timing.window_s, found)
        yield time.monotonic(), choice
        if found is None or not found.whole:
            continue
        waited_s = {core: waited_s.get(core, 0.0) / 2 + found.waited_s.get(core, 0.0) for core in capacity}
        known = alone.get(profile.choice, profile)
        in_the_way = disturbed(found.profile, known) and not (at_once and keeps_up(found.profile, controller.below))
        controller.observe(in_the_way, found.end_s)
        alone[profile.choice] = _quicker(known, found.profile)


def _quicker(known: Profile, now: Profile) -> Profile:
    """`known`, corrected where `now` did better: profiled beside other work, a choice looked slower than it is."""
    faster = now.steps > 0 and now.busy_s < known.busy_s
    return known._replace(
        busy_s=now.busy_s if faster else known.busy_s,
        steps=now.steps if faster else known.steps,
        delay=min(now.delay, known.delay),
        others=now.others if faster else known.others,
    )


def _between(choice: Choice, before: _Reading, after: _Reading) -> Profile:
    run_s = waits.run_s(before.threads, after.threads)
    steps = after.steps - before.steps
    units = steps or run_s
    spent = run_s if after.energy_j is None or before.energy_j is None else after.energy_j - before.energy_j
    seconds, busy_s = after.time_s - before.time_s, waits.busy_s(before.threads, after.threads)
    others = (after.machine_s - before.machine_s - run_s) / seconds
    delay = waits.delay(before.threads, after.threads)
    return Profile(choice, seconds / units, spent / units, delay, busy_s / units, others, steps)
