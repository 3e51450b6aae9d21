"""Statistics only, no I/O: one file a bound or a sampling design, each with a test of how often it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from suffice.estimate.lab import CoverageCell


class Covers(Protocol):
    """What plays a statement on its own data: a connection."""

    def coverage(self, query: str, *, runs: int = 100, seed: int = 0) -> CoverageCell: ...


def coverage(query: str, con: Covers, *, runs: int = 100, seed: int = 0) -> CoverageCell:
    """How often the guarantee of an aggregate statement holds on the data of `con` (as ``con.coverage(query)``).

    The statement is answered exactly once, and then from `runs` samples that cost no calls.
    """
    return con.coverage(query, runs=runs, seed=seed)
