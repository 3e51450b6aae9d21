"""What was asked for, and what was given: the two sides of a bounded answer over tables."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from suffice.errors import UsageError
from suffice.estimate.interval import Tier


@dataclass(frozen=True)
class Target:
    """``WITHIN e% CONFIDENCE p%``.

    Attributes:
        error_relative_max: e / 100: every aggregate of every row is within this share of its true value ...
        confidence: p / 100: ... all at once, with at least this probability over the draw of the sample.
        weakest_tier: ``"finite-sample"`` refuses limit theorems: more is read, or everything. ``"asymptotic"`` allows
        them
            where the checks pass; rows that crowd in a few blocks no draw has met can still break such an answer.
    """

    error_relative_max: float
    confidence: float = 0.95
    weakest_tier: Literal["finite-sample", "asymptotic"] = "finite-sample"

    def __post_init__(self) -> None:
        if not (0 < self.error_relative_max < 1 and math.isfinite(self.error_relative_max)):
            raise UsageError(f"WITHIN {100 * self.error_relative_max:g}%: the error must lie above 0% and below 100%")
        if not 0.5 <= self.confidence < 1:
            raise UsageError(f"CONFIDENCE {100 * self.confidence:g}%: it must lie between 50% and 100%")


@dataclass(frozen=True)
class AggregateGuarantee:
    """What an answer over tables rests on.

    Attributes:
        tier: the weakest of its intervals'; "exact" when everything was read.
        method: names of the bounds used, or why the answer is exact.
        intervals: per aggregate column, (low, high) of each result row.
        sampled, population: blocks read and blocks in the sampled table (0, 0 when exact).
        rows_read, rows_total: rows of the sampled table.
        groups_missing_blocks_max: a group with rows in this many blocks or more is not missing from the result
            (None: no group can be missing). A block has at most `rows_per_block_max` rows.
        looks: draws made.
    """

    target: float
    confidence: float
    tier: Tier
    method: str
    intervals: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    sampled: int = 0
    population: int = 0
    rows_read: int = 0
    rows_total: int = 0
    groups_missing_blocks_max: int | None = None
    rows_per_block_max: int = 0
    looks: int = 0
    seed: int = 0
    assumptions: tuple[str, ...] = ()
