"""Run a command and keep it out of the way."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from suffice.errors import SufficeError
from suffice.federated.pace import waits
from suffice.federated.pace.choice import Choice, all_choices, core_capacity
from suffice.federated.pace.controller import Controller
from suffice.federated.pace.place import place
from suffice.federated.pace.process import energy_j, give_way, move_to, threads_used
from suffice.federated.pace.profile import Profile, disturbed, prune
from suffice.federated.pace.steps import VARIABLE, ask_threads, create_counter, read_counter

_STRETCHES = 20
_LAST_WORDS_S = 10.0


@dataclass(frozen=True)
class PaceReport:
    """What a paced command did.

    Attributes:
        profiles: every choice measured; chain: those kept, fastest first.
        moves: (seconds since the start, choice) at each change.
        cost_unit: ``joules``, or ``cpu_s (proxy)`` where no energy meter can be read.
    """

    exit_code: int
    seconds: float
    steps: int
    cpu_s: float
    profiles: tuple[Profile, ...]
    chain: tuple[Profile, ...]
    moves: tuple[tuple[float, Choice], ...]
    cost_unit: str


class _Reading(NamedTuple):
    time_s: float
    steps: int
    threads: waits.Threads
    energy_j: float | None


class _Stretch(NamedTuple):
    profile: Profile
    end_s: float
    waited_s: dict[int, float]


@dataclass(frozen=True)
class Timing:
    """Seconds: `start_s` to wait for the first step at most, `profile_s` to measure a choice, `window_s` between two
    looks, `retry_s` until a way that was left is tried again."""

    start_s: float = 15.0
    profile_s: float = 1.0
    window_s: float = 0.25
    retry_s: float = 5.0


def pace_command(
    command: Sequence[str],
    *,
    choices: Sequence[Choice] | None = None,
    timing: Timing | None = None,
    niceness: int | None = None,
    too_hot: Callable[[], bool] = lambda: False,
    output: TextIO | None = None,
) -> PaceReport:
    """Run `command` on as many cores as nobody else needs.

    Profiles each choice once the command has begun to step (or after `start_s`), then looks every `window_s`. A script
    that calls :func:`suffice.federated.pace.step` after each training step is judged by its steps; any other by how
    long its threads wait for a core.

    Args:
        niceness: 0 to 19; None for work that anybody may interrupt at once (see
            :func:`~suffice.federated.pace.process.give_way`). On a machine that is always busy such a command makes
            hardly any progress: give it a number there.
        too_hot: asked at every look; while it says so the command runs as gently as it can (a battery or thermal hook).
        output: where the command's standard output goes; None for this process's own.

    Raises:
        SufficeError: the command cannot be started.
    """
    with tempfile.TemporaryDirectory() as folder:
        counter = Path(folder) / "steps"
        create_counter(counter)
        child = _start(command, counter, niceness, output)
        try:
            paced = _Paced(child, counter, timing or Timing())
            return _supervise(paced, list(choices or all_choices()), too_hot, yields_at_once=niceness is None)
        except KeyboardInterrupt:
            _end(child, signal.SIGINT)
            raise
        finally:
            if child.poll() is None:
                _end(child, signal.SIGKILL)


def _start(
    command: Sequence[str], counter: Path, niceness: int | None, output: TextIO | None
) -> subprocess.Popen[bytes]:
    # A thread that spins while it waits for one that was made to wait burns the core that one wants.
    names = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ, VARIABLE: str(counter)}
    try:
        child = subprocess.Popen(command, env=names, stdout=output, start_new_session=True)
    except OSError as error:
        raise SufficeError(f"cannot start {command[0]!r}: {error.strerror}") from None
    give_way(child.pid, niceness)
    return child


def _end(child: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Tell the whole session of `child`, which hears nothing from the terminal, and wait for it a while."""
    with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
        os.killpg(child.pid, how)
        child.wait(_LAST_WORDS_S)


@dataclass(frozen=True)
class _Paced:
    """The command as it runs."""

    child: subprocess.Popen[bytes]
    counter: Path
    timing: Timing

    def ended(self) -> bool:
        return self.child.poll() is not None

    def run_by(self, choice: Choice) -> None:
        ask_threads(self.counter, choice.threads)
        move_to(self.child.pid, choice.cores)

    def stretch(self, choice: Choice, seconds: float) -> _Stretch | None:
        """How the next `seconds` under `choice` went; None when the command ended, or did nothing."""
        self.run_by(choice)
        before = after = self.read()
        for _ in range(_STRETCHES):
            # On a machine that others use up an idle process may not run at all for a while.
            self.pause(seconds)
            after = self.read()
            if self.ended() or waits.run_s(before.threads, after.threads) > 0:
                break
        if self.ended() or waits.run_s(before.threads, after.threads) <= 0:
            return None
        return _Stretch(_between(choice, before, after), after.time_s, waits.waited_s(before.threads, after.threads))

    def read(self) -> _Reading:
        return _Reading(time.monotonic(), read_counter(self.counter), threads_used(self.child.pid), energy_j())

    def pause(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(seconds)


def _supervise(
    paced: _Paced, choices: list[Choice], too_hot: Callable[[], bool], *, yields_at_once: bool
) -> PaceReport:
    began_s, began_cpu_s = time.monotonic(), _children_cpu_s()
    _await_steps(paced)
    profiles = _profile(paced, choices)
    chain = prune(profiles)
    moves: list[tuple[float, Choice]] = []
    if chain:
        controller = Controller(chain, too_hot=too_hot, retry_s=paced.timing.retry_s)
        for at_s, choice in _watch(paced, controller, yields_at_once=yields_at_once):
            moves += [] if moves and moves[-1][1] == choice else [(at_s - began_s, choice)]
    exit_code = paced.child.wait()
    seconds, steps = time.monotonic() - began_s, read_counter(paced.counter)
    unit = "cpu_s (proxy)" if energy_j() is None else "joules"
    cpu_s = _children_cpu_s() - began_cpu_s
    return PaceReport(exit_code, seconds, steps, cpu_s, tuple(profiles), tuple(chain), tuple(moves), unit)


def _children_cpu_s() -> float:
    """Processor seconds of the children that have ended, and of theirs: exact, however soon a command ends."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _await_steps(paced: _Paced) -> None:
    """Imports and compilation say nothing about a step: measuring begins with the third."""
    end_s = time.monotonic() + paced.timing.start_s
    while time.monotonic() < end_s and not paced.ended() and read_counter(paced.counter) < 3:
        paced.pause(0.05)


def _profile(paced: _Paced, choices: list[Choice]) -> list[Profile]:
    """Each choice twice, in turn, and the better of the two: what else runs on the machine for a moment should not
    decide. The first quarter of a stretch is for settling in."""
    best: dict[Choice, Profile] = {}
    for choice in [*choices, *reversed(choices)]:
        paced.run_by(choice)
        paced.pause(paced.timing.profile_s / 8)
        found = paced.stretch(choice, paced.timing.profile_s * 3 / 8)
        if found is not None and (choice not in best or found.profile.step_s < best[choice].step_s):
            best[choice] = found.profile
    return [best[choice] for choice in choices if choice in best]


def _watch(paced: _Paced, controller: Controller, *, yields_at_once: bool) -> Iterator[tuple[float, Choice]]:
    """Run by the controller until the command ends; yields (moment, choice) at every look."""
    alone: dict[Choice, Profile] = {}
    waited_s: dict[int, float] = {}
    capacity = core_capacity()
    while not paced.ended():
        profile = controller.current
        choice = place(profile.choice, waited_s, capacity, yields_at_once=yields_at_once)
        found = paced.stretch(choice, paced.timing.window_s)
        yield time.monotonic(), choice
        if found is None:
            continue
        waited_s = {core: waited_s.get(core, 0.0) / 2 + found.waited_s.get(core, 0.0) for core in capacity}
        known = alone.get(profile.choice, profile)
        controller.observe(disturbed(found.profile, known), found.end_s)
        alone[profile.choice] = _quicker(known, found.profile)


def _quicker(known: Profile, now: Profile) -> Profile:
    """`known`, corrected where `now` did better: profiled beside other work, a choice looked slower than it is."""
    faster = now.steps > 0 and now.step_s < known.step_s
    return known._replace(
        step_s=now.step_s if faster else known.step_s,
        steps=now.steps if faster else known.steps,
        delay=min(now.delay, known.delay),
    )


def _between(choice: Choice, before: _Reading, after: _Reading) -> Profile:
    run_s = waits.run_s(before.threads, after.threads)
    steps = after.steps - before.steps
    units = steps or run_s
    spent = run_s if after.energy_j is None or before.energy_j is None else after.energy_j - before.energy_j
    delay = waits.delay(before.threads, after.threads)
    return Profile(choice, (after.time_s - before.time_s) / units, spent / units, delay, steps)
