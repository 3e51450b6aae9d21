"""Run a command and keep it out of the way."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from suffice.errors import SufficeError
from suffice.federated.pace.choice import Choice, all_choices
from suffice.federated.pace.controller import Controller
from suffice.federated.pace.process import Usage, energy_j, give_way, move_to, usage_of
from suffice.federated.pace.profile import Profile, prune
from suffice.federated.pace.steps import VARIABLE, create_counter, read_counter


@dataclass(frozen=True)
class PaceReport:
    """What a paced command did.

    Attributes:
        profiles: every choice measured; chain: those kept, fastest first.
        moves: (seconds since the start, cores) at each change.
        cost_unit: ``joules``, or ``cpu_s (proxy)`` where no energy meter can be read.
    """

    exit_code: int
    seconds: float
    steps: int
    cpu_s: float
    profiles: tuple[Profile, ...]
    chain: tuple[Profile, ...]
    moves: tuple[tuple[float, tuple[int, ...]], ...]
    cost_unit: str


class _Reading(NamedTuple):
    time_s: float
    steps: int
    used: Usage
    energy_j: float | None


def pace_command(
    command: Sequence[str],
    *,
    choices: Sequence[Choice] | None = None,
    profile_s: float = 1.0,
    window_s: float = 0.25,
    too_hot: Callable[[], bool] = lambda: False,
    retry_s: float = 5.0,
) -> PaceReport:
    """Run `command` at idle priority on as many cores as nobody else needs.

    Profiles each choice for `profile_s`, then looks every `window_s`. A script that calls
    :func:`suffice.federated.pace.step` after each training step is judged by its steps; any other by how long its
    threads wait for a core.

    Raises:
        SufficeError: the command cannot be started.
    """
    with tempfile.TemporaryDirectory() as folder:
        counter = Path(folder) / "steps"
        create_counter(counter)
        child = _start(command, counter)
        try:
            return _supervise(child, counter, list(choices or all_choices()), profile_s, window_s, too_hot, retry_s)
        finally:
            child.kill()
            child.wait()


def _start(command: Sequence[str], counter: Path) -> subprocess.Popen[bytes]:
    try:
        child = subprocess.Popen(command, env={**os.environ, VARIABLE: str(counter)})
    except OSError as error:
        raise SufficeError(f"cannot start {command[0]!r}: {error.strerror}") from None
    give_way(child.pid)
    return child


def _supervise(
    child: subprocess.Popen[bytes],
    counter: Path,
    choices: list[Choice],
    profile_s: float,
    window_s: float,
    too_hot: Callable[[], bool],
    retry_s: float,
) -> PaceReport:
    began_s = time.monotonic()
    profiles = list(_profile(child, counter, choices, profile_s))
    chain = prune(profiles)
    moves: list[tuple[float, tuple[int, ...]]] = []
    last = _read(child, counter)
    if chain:
        controller = Controller(chain, too_hot=too_hot, retry_s=retry_s)
        for reading in _watch(child, counter, controller, window_s, moves, began_s):
            last = reading
    exit_code = child.wait()
    seconds, steps = time.monotonic() - began_s, read_counter(counter)
    unit = "cpu_s (proxy)" if energy_j() is None else "joules"
    return PaceReport(exit_code, seconds, steps, last.used.run_s, tuple(profiles), tuple(chain), tuple(moves), unit)


def _profile(
    child: subprocess.Popen[bytes], counter: Path, choices: list[Choice], profile_s: float
) -> Iterator[Profile]:
    """Let the command start up for a while, then measure it under each choice; nothing once it has ended."""
    _pause(child, profile_s)
    for choice in choices:
        move_to(child.pid, choice.cores)
        before = _read(child, counter)
        _pause(child, profile_s)
        after = _read(child, counter)
        if child.poll() is None and after.used.run_s > before.used.run_s:
            yield _between(choice, before, after)


def _watch(
    child: subprocess.Popen[bytes],
    counter: Path,
    controller: Controller,
    window_s: float,
    moves: list[tuple[float, tuple[int, ...]]],
    began_s: float,
) -> Iterator[_Reading]:
    cores: tuple[int, ...] = ()
    while child.poll() is None:
        profile = controller.current
        if profile.choice.cores != cores:
            cores = profile.choice.cores
            moves.append((time.monotonic() - began_s, cores))
        move_to(child.pid, cores)
        before = _read(child, counter)
        _pause(child, window_s)
        after = _read(child, counter)
        if after.used.run_s > before.used.run_s and child.poll() is None:
            yield after
            now = _between(profile.choice, before, after)
            stepping = after.steps > before.steps
            slower = now.step_s / profile.step_s if stepping else now.delay / profile.delay
            controller.observe(slower, after.time_s)


def _between(choice: Choice, before: _Reading, after: _Reading) -> Profile:
    run_s = after.used.run_s - before.used.run_s
    units = after.steps - before.steps or run_s
    spent = run_s if after.energy_j is None or before.energy_j is None else after.energy_j - before.energy_j
    delay = 1.0 + (after.used.wait_s - before.used.wait_s) / run_s
    return Profile(choice, (after.time_s - before.time_s) / units, spent / units, delay)


def _read(child: subprocess.Popen[bytes], counter: Path) -> _Reading:
    return _Reading(time.monotonic(), read_counter(counter), usage_of(child.pid), energy_j())


def _pause(child: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return
