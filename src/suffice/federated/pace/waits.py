"""How long, and where, others kept a command's threads waiting: the trace a foreground leaves, readable by anybody."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.federated.pace.process import ThreadUse

Threads = Mapping[int, ThreadUse]
_ACTIVE_SHARE = 0.1


def run_s(before: Threads, after: Threads) -> float:
    """Processor seconds all threads used between two looks."""
    return sum(spent.run_s for spent in _spent(before, after).values())


def busy_s(before: Threads, after: Threads) -> float:
    """Seconds for which the busiest thread ran or waited for a core."""
    return max((one.run_s + one.wait_s for one in _spent(before, after).values()), default=0.0)


def delay(before: Threads, after: Threads) -> float:
    """Of the thread that waited most: time spent runnable over time spent running, 1 when nobody else wanted its core.
    Threads that hardly ran say nothing, and are left out."""
    spent = _spent(before, after)
    return 1.0 + max((spent[one].wait_s / spent[one].run_s for one in active(before, after)), default=0.0)


def active(before: Threads, after: Threads) -> list[int]:
    """Threads that ran, not hardly, between two looks; the same order at every look."""
    spent = _spent(before, after)
    active_s = _ACTIVE_SHARE * max((one.run_s for one in spent.values()), default=0.0)
    return sorted(thread for thread, one in spent.items() if one.run_s > active_s)


def waited_s(before: Threads, after: Threads) -> dict[int, float]:
    """Seconds threads waited, by the core they waited for."""
    found: dict[int, float] = {}
    for one in _spent(before, after).values():
        found[one.core] = found.get(one.core, 0.0) + one.wait_s
    return found


def _spent(before: Threads, after: Threads) -> dict[int, ThreadUse]:
    start = ThreadUse(0.0, 0.0, 0)
    then = {thread: before.get(thread, start) for thread in after}
    return {
        thread: ThreadUse(now.run_s - then[thread].run_s, now.wait_s - then[thread].wait_s, now.core)
        for thread, now in after.items()
    }
