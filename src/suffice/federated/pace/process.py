"""Look at, and move, a tree of processes through /proc, without privileges."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from suffice.federated.pace.slices import take_long_slices

_RAPL = Path("/sys/class/powercap/intel-rapl:0/energy_uj")


class ThreadUse(NamedTuple):
    """Seconds a thread has run, and has waited for a core, since it began; `core` is where it is now."""

    run_s: float
    wait_s: float
    core: int


def threads_of(pid: int) -> Iterator[Path]:
    """``/proc/…/task/TID`` of every thread of `pid` and its descendants that is still there."""
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            yield task
            with contextlib.suppress(OSError):
                for child in (task / "children").read_text().split():
                    yield from threads_of(int(child))


def threads_used(pid: int) -> dict[int, ThreadUse]:
    """What each thread of the tree under `pid` has used, by thread id; those that have ended are not in it."""
    found: dict[int, ThreadUse] = {}
    for task in threads_of(pid):
        with contextlib.suppress(OSError, ValueError):
            run_ns, wait_ns, _ = map(int, (task / "schedstat").read_text().split())
            core = int((task / "stat").read_text().rpartition(")")[2].split()[36])
            found[int(task.name)] = ThreadUse(run_ns / 1e9, wait_ns / 1e9, core)
    return found


def move_to(pid: int, cores: tuple[int, ...]) -> None:
    """Keep every thread of the tree under `pid` to `cores`."""
    for task in threads_of(pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setaffinity(int(task.name), cores)


def give_way(pid: int, niceness: int | None) -> None:
    """Run `pid`, and what it starts from now on, with `niceness` (0 to 19), or when that is None so that whoever else
    wants the core has it at once. Without privileges there is no way back, so a paced command stays there.

    Where the kernel groups processes by session it weighs sessions first, and the nicest process in an equal session
    takes as much as another session's busy ones. So a session of its own, which `pid` should lead, gives way whole.
    """
    if os.getsid(pid) == pid:
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/autogroup").write_text(str(19 if niceness is None else niceness))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if niceness is not None:
            os.setpriority(os.PRIO_PROCESS, pid, niceness)
        elif not take_long_slices(pid):
            os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def energy_j() -> float | None:
    """The energy meter of the first processor package; None where it cannot be read."""
    try:
        return int(_RAPL.read_text()) / 1e6
    except (OSError, ValueError):
        return None
