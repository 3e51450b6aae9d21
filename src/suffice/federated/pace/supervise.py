"""Run a command and keep it out of the way."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from suffice.errors import SufficeError
from suffice.federated.pace.choice import Choice, all_choices
from suffice.federated.pace.controller import Controller
from suffice.federated.pace.process import Usage, energy_j, give_way, move_to, usage_of
from suffice.federated.pace.profile import Profile, prune
from suffice.federated.pace.steps import VARIABLE, ask_threads, create_counter, read_counter

_STRETCHES = 20


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
    used: Usage
    energy_j: float | None


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
        niceness: 0 to 19; None for the scheduler's idle class, which runs only while nobody else wants the core. On a
            machine that is always busy such a command makes no progress: give it a number there.
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
            return _supervise(paced, list(choices or all_choices()), too_hot)
        finally:
            child.kill()
            child.wait()


def _start(
    command: Sequence[str], counter: Path, niceness: int | None, output: TextIO | None
) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(command, env={**os.environ, VARIABLE: str(counter)}, stdout=output)
    except OSError as error:
        raise SufficeError(f"cannot start {command[0]!r}: {error.strerror}") from None
    give_way(child.pid, niceness)
    return child


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

    def stretch(self, choice: Choice, seconds: float) -> tuple[Profile, _Reading] | None:
        """How the next `seconds` under `choice` went; None when the command ended, or did nothing."""
        self.run_by(choice)
        before = after = self.read()
        for _ in range(_STRETCHES):
            # On a machine that others use up an idle process may not run at all for a while.
            self.pause(seconds)
            after = self.read()
            if self.ended() or after.used.run_s > before.used.run_s:
                break
        if self.ended() or after.used.run_s <= before.used.run_s:
            return None
        return _between(choice, before, after), after

    def read(self) -> _Reading:
        return _Reading(time.monotonic(), read_counter(self.counter), usage_of(self.child.pid), energy_j())

    def pause(self, seconds: float) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.child.wait(seconds)


def _supervise(paced: _Paced, choices: list[Choice], too_hot: Callable[[], bool]) -> PaceReport:
    began_s = time.monotonic()
    _await_steps(paced)
    profiles = _profile(paced, choices)
    chain = prune(profiles)
    moves: list[tuple[float, Choice]] = []
    cpu_s = paced.read().used.run_s
    if chain:
        controller = Controller(chain, too_hot=too_hot, retry_s=paced.timing.retry_s)
        for at_s, choice, used_s in _watch(paced, controller):
            cpu_s = max(cpu_s, used_s)
            moves += [] if moves and moves[-1][1] == choice else [(at_s - began_s, choice)]
    exit_code = paced.child.wait()
    seconds, steps = time.monotonic() - began_s, read_counter(paced.counter)
    unit = "cpu_s (proxy)" if energy_j() is None else "joules"
    return PaceReport(exit_code, seconds, steps, cpu_s, tuple(profiles), tuple(chain), tuple(moves), unit)


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
        if found is not None and (choice not in best or found[0].step_s < best[choice].step_s):
            best[choice] = found[0]
    return [best[choice] for choice in choices if choice in best]


def _watch(paced: _Paced, controller: Controller) -> Iterator[tuple[float, Choice, float]]:
    """Run by the controller until the command ends; yields (moment, choice, CPU-seconds so far)."""
    fastest: dict[Choice, Profile] = {}
    while not paced.ended():
        choice = controller.current.choice
        found = paced.stretch(choice, paced.timing.window_s)
        yield time.monotonic(), choice, paced.read().used.run_s
        if found is None:
            continue
        now, reading = found
        known = fastest.setdefault(choice, controller.current)
        controller.observe(_slower(now, known), reading.time_s)
        if now.steps and now.step_s < known.step_s:
            # Profiled beside other work, a choice looked slower than it is.
            fastest[choice] = now


def _slower(now: Profile, known: Profile) -> float:
    return now.step_s / known.step_s if now.steps and known.steps else now.delay / known.delay


def _between(choice: Choice, before: _Reading, after: _Reading) -> Profile:
    run_s = after.used.run_s - before.used.run_s
    steps = after.steps - before.steps
    units = steps or run_s
    spent = run_s if after.energy_j is None or before.energy_j is None else after.energy_j - before.energy_j
    delay = 1.0 + (after.used.wait_s - before.used.wait_s) / run_s
    return Profile(choice, (after.time_s - before.time_s) / units, spent / units, delay, steps)
