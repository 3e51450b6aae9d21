"""How long a thread of OpenMP spins for the others before it sleeps."""

from __future__ import annotations

from collections.abc import Mapping

_SPINS = 20_000


def brief_spins(environment: Mapping[str, str]) -> dict[str, str]:
    """What to add to `environment` so that a thread spins for some 400 microseconds (GNU's runtime; Intel's sleeps at
    once); nothing where it says something of its own.

    A thread that spins for one that was made to wait burns the core that one needs, so the 3 ms that is usual is far
    too long beside other work. A thread that sleeps pays for being woken: between the operations of a small network
    there are some tens of microseconds, between the last of a step and the first of the next a few hundred.
    """
    if "OMP_WAIT_POLICY" in environment or "GOMP_SPINCOUNT" in environment:
        return {}
    return {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": str(_SPINS)}
