"""Which cores of a size to take."""

from __future__ import annotations

from collections.abc import Mapping

from suffice.federated.pace.choice import Choice


def place(
    choice: Choice, waited_s: Mapping[int, float], capacity: Mapping[int, float], *, yields_at_once: bool
) -> Choice:
    """`choice` on the best cores of the same speeds, by how long its threads lately waited for each.

    Work of the idle class that shares a core with a foreground stops the moment that wants to run, and costs it
    nothing; on the core beside, it runs on and slows it down where the two share arithmetic units and caches. So it
    goes where it was made to wait. Work that is merely nice does not stop at once, and goes where it was not.
    """
    sign = -1.0 if yields_at_once else 1.0
    taken: list[int] = []
    for speed in {capacity[core] for core in choice.cores}:
        alike = [core for core in capacity if capacity[core] == speed]
        wanted = sum(capacity[core] == speed for core in choice.cores)
        ranked = sorted(alike, key=lambda core: (sign * waited_s.get(core, 0.0), core not in choice.cores, core))
        taken += ranked[:wanted]
    return choice._replace(cores=tuple(sorted(taken)))
