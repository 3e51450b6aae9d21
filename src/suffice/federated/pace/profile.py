"""What each way to run costs, and which are worth keeping."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from suffice.federated.pace.choice import Choice


class Profile(NamedTuple):
    """A choice as measured.

    Attributes:
        step_s: seconds of wall clock for one unit of work (a training step, or a CPU-second when steps are not known).
        cost: for one unit of work: joules when the kernel lets us read the meter, else CPU-seconds as a proxy.
        delay: of the thread that waited most, time spent runnable over time spent running; 1 when nobody else wants
            the cores.
        busy_s: seconds for which the busiest thread ran, or waited for a core, for one unit of work; what it slept
            (for data, or for its turn in a federation) is nobody's interference.
        others: cores that others kept busy; not a number where the kernel does not say.
        steps: steps it was measured over; 0 when they are not known.
    """

    choice: Choice
    step_s: float
    cost: float
    delay: float
    busy_s: float
    others: float
    steps: int = 0


def prune(profiles: Collection[Profile], *, tolerance: float = 0.05) -> list[Profile]:
    """The chain to walk, fastest first.

    A profile is dropped when another is no slower, no costlier and takes no more cores, and is clearly (`tolerance`)
    better in one of these. More cores that do not make it faster go this way: they can make it slower.
    """
    kept = [p for p in profiles if not any(_beats(other, p, tolerance) for other in profiles)]
    return sorted(kept, key=lambda p: (p.step_s, len(p.choice.cores)))


def disturbed(
    now: Profile, known: Profile, *, waiting_max: float = 1.05, slower_max: float = 1.3, others_min: float = 0.2
) -> bool:
    """Whether somebody else is at work: a thread waited for its core (a twentieth of its time more than when it was
    alone), or the steps take longer, on cores it shares caches and memory with. A machine that slows down by itself,
    as a virtual one does, is nobody: then others must be seen to work as well, if that can be seen (what the kernel
    counts in a quarter of a second is wrong by a tenth of a core)."""
    slower = now.steps > 0 and known.steps > 0 and now.busy_s > slower_max * known.busy_s
    nobody = now.others - known.others < others_min
    return (slower and not nobody) or now.delay > waiting_max * known.delay


def keeps_up(now: Profile, below: Profile | None, *, slower_max: float = 1.4) -> bool:
    """Whether work that is interfered with does not much worse than it would, left alone, by the profile `below` its
    own. That one was measured at another time, and a machine is not always as fast."""
    known = below is not None and (now.steps > 0) == (below.steps > 0)
    return below is None or (known and now.step_s <= slower_max * below.step_s)


def _beats(a: Profile, b: Profile, tolerance: float) -> bool:
    ours, theirs = (a.step_s, a.cost, len(a.choice.cores)), (b.step_s, b.cost, len(b.choice.cores))
    no_worse = all(x <= y * (1 + tolerance) for x, y in zip(ours, theirs, strict=True))
    return no_worse and any(x < y * (1 - tolerance) for x, y in zip(ours, theirs, strict=True))
