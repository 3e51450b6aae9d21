"""Run a command and keep it out of the way."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from suffice.errors import SufficeError
from suffice.federated.pace.choice import Choice
from suffice.federated.pace.process import energy_j, give_way
from suffice.federated.pace.profile import Profile
from suffice.federated.pace.steps import VARIABLE, create_counter, read_counter
from suffice.federated.pace.supervise import Paced, Terms, Watched, supervise
from suffice.federated.pace.waiting import brief_spins

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


def pace_command(command: Sequence[str], terms: Terms | None = None, *, output: TextIO | None = None) -> PaceReport:
    """Run `command` on as many cores as nobody else needs.

    Profiles each choice once the command has begun to step (or after ``start_s``), then looks every ``window_s``. A
    script that calls :func:`suffice.federated.pace.step` after each training step is judged by its steps; any other by
    how long its threads wait for a core.

    Args:
        output: where the command's standard output goes; None for this process's own.

    Raises:
        SufficeError: the command cannot be started.
    """
    terms, over = terms or Terms(), threading.Event()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as beside:
        counter = Path(folder) / "steps"
        create_counter(counter)
        began_s, began_cpu_s = time.monotonic(), _children_cpu_s()
        child = _start(command, counter, terms.niceness, output)
        try:
            watched = beside.submit(supervise, Paced(child.pid, counter, over), terms)
            exit_code = child.wait()
        except KeyboardInterrupt:
            _end(child, signal.SIGINT)
            raise
        finally:
            if child.poll() is None:
                _end(child, signal.SIGKILL)
            over.set()
        seconds, cpu_s = time.monotonic() - began_s, _children_cpu_s() - began_cpu_s
        return _report(exit_code, seconds, read_counter(counter), cpu_s, watched, began_s)


def _report(
    exit_code: int, seconds: float, steps: int, cpu_s: float, watched: Future[Watched], began_s: float
) -> PaceReport:
    profiles, chain, moves = watched.result()
    unit = "cpu_s (proxy)" if energy_j() is None else "joules"
    since = tuple((at_s - began_s, choice) for at_s, choice in moves)
    return PaceReport(exit_code, seconds, steps, cpu_s, tuple(profiles), tuple(chain), since, unit)


def _children_cpu_s() -> float:
    """Processor seconds of the children that have ended, and of theirs: exact, however soon a command ends."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start(
    command: Sequence[str], counter: Path, niceness: int | None, output: TextIO | None
) -> subprocess.Popen[bytes]:
    names = {**os.environ, **brief_spins(os.environ), VARIABLE: str(counter)}
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
