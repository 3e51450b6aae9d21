"""Look at, and move, a tree of processes through /proc, without privileges."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from suffice.federated.pace.slices import take_long_slices

_LONGEST_SLICE_NS = 100_000_000
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


def move_to(pid: int, cores: tuple[int, ...], team: Sequence[int] = ()) -> None:
    """Keep every thread of the tree under `pid` to `cores`, and those of `team`, which are as many, to one core each:
    left to itself the kernel now and then wakes two of them on one."""
    own = dict(zip(team, cores, strict=False))
    for task in threads_of(pid):
        thread = int(task.name)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.sched_setaffinity(thread, {own[thread]} if thread in own else cores)


def give_way(thread: int, niceness: int | None, *, slice_ns: int = _LONGEST_SLICE_NS) -> bool:
    """Run `thread` (a process is its first thread), and what it starts from now on, with `niceness` (0 to 19), or when
    that is None so that whoever else wants the core has it at once; those with slices shorter than `slice_ns` do.
    Without privileges there is no way back. Returns whether anybody at all has the core at once, which for work of the
    idle class holds within its session only.

    Where the kernel groups processes by session it weighs sessions first, and the nicest process in an equal session
    takes as much as another session's busy ones. So a session whose leader gives way does so whole.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getsid(thread) == thread:
            with contextlib.suppress(OSError):
                Path(f"/proc/{thread}/autogroup").write_text(str(19 if niceness is None else niceness))
        if niceness is not None:
            os.setpriority(os.PRIO_PROCESS, thread, niceness)
        elif take_long_slices(thread, slice_ns):
            return True
        else:
            os.sched_setscheduler(thread, os.SCHED_IDLE, os.sched_param(0))
    return False


def machine_busy_s() -> float:
    """Processor seconds of everybody on this machine so far; infinite where the kernel does not say."""
    try:
        fields = Path("/proc/stat").read_text().split(maxsplit=9)[1:8]
    except OSError:
        return math.inf
    user, nice, system, _idle, _disk, interrupts, soft_interrupts = map(int, fields)
    return (user + nice + system + interrupts + soft_interrupts) / os.sysconf("SC_CLK_TCK")


def energy_j() -> float | None:
    """The energy meter of the first processor package; None where it cannot be read."""
    try:
        return int(_RAPL.read_text()) / 1e6
    except (OSError, ValueError):
        return None
