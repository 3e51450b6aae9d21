"""What an answer that is not exact promises."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Guarantee:
    """A promise about an answer, with everything needed to check it.

    Attributes:
        target: what was asked, such as ``{"error_relative_max": 0.05}``.
        confidence: probability, over the sampling, that all of `intervals` hold at once.
        tier: ``"exact"``, ``"finite-sample"`` or ``"asymptotic"``.
        method: the bound, by name.
        intervals: column to one ``(low, high)`` a row.
        sampled: units looked at, of `population`.
        assumptions: what must hold besides the sampling.
        details: what else helps to judge or repeat it: units known beforehand, calls, how delta was spent, advice.
    """

    target: Mapping[str, float]
    confidence: float
    tier: str
    method: str
    intervals: Mapping[str, Sequence[tuple[float, float]]]
    sampled: int
    population: int
    seed: int
    assumptions: tuple[str, ...]
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As JSON has it: an end that is not known is null."""
        intervals = {
            name: [[end if math.isfinite(end) else None for end in ends] for ends in column]
            for name, column in self.intervals.items()
        }
        return {**asdict(self), "intervals": intervals}

    def __str__(self) -> str:
        if self.tier == "exact":
            return f"exact ({self.method})"
        words = {
            "error_relative_max": "wider than" if self._is_wider() else "within",
            "recall_min": "recall",
            "precision_min": "precision",
        }
        asked = ", ".join(f"{word} {100 * self.target[name]:g}%" for name, word in words.items() if name in self.target)
        shown = [_shown(name, *ends[0]) for name, ends in self.intervals.items() if ends]
        more = "" if all(len(ends) <= 1 for ends in self.intervals.values()) else " in the first row, …"
        return (
            f"{asked or 'what the budget bought'} at {100 * self.confidence:g}%"
            f"{': ' if shown else ''}{', '.join(shown)}{more} ({self.tier}, {self.method});"
            f" {self.sampled:,} of {self.population:,} looked at, seed {self.seed}{self._open_rows()}"
        )

    def _open_rows(self) -> str:
        """Said where a budget, or a look on the way, ended it before it was clear which groups are in the answer."""
        return "; HAVING or LIMIT went by estimates" if self.details.get("rows_by_estimates") else ""

    def _is_wider(self) -> bool:
        """Whether a budget, or a look on the way, ended it before it was as narrow as asked."""
        from suffice.estimate.relative import relative_half_width

        error = self.target.get("error_relative_max", math.inf) * (1 + 1e-6)
        return any(relative_half_width(*ends) > error for column in self.intervals.values() for ends in column)


def _shown(name: str, low: float, high: float) -> str:
    if math.isinf(low) and math.isinf(high):
        return f"{name} unknown: no row was met that tells of it, a larger budget may"
    return f"{name} in [{low:,.6g}, {high:,.6g}]"
