"""How long a thread of OpenMP spins for the others before it sleeps."""

from __future__ import annotations

from collections.abc import Mapping

_SPINS = 3000


def brief_spins(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to `environment` so that a thread spins for some 60 microseconds (GNU's runtime; Intel's sleeps at
    once); nothing where it says something of its own.

    A thread that spins for one that was made to wait burns the core that one needs, so the 3 ms that is usual is far
    too long beside other work. A thread that sleeps at once pays for being woken after every operation: a small
    network then trains half as fast. Between the two operations of a network there are some tens of microseconds.
    """
    if "OMP_WAIT_POLICY" in environment or "GOMP_SPINCOUNT" in environment:
        return {}
    return {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": str(_SPINS)}
