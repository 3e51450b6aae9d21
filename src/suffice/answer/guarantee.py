"""What an answer that is not exact promises."""

from __future__ import annotations

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
        details: what else is worth knowing, by kind of answer.
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
        return asdict(self)

    def __str__(self) -> str:
        if self.tier == "exact":
            return f"exact ({self.method})"
        words = {"error_relative_max": "within", "recall_min": "recall", "precision_min": "precision"}
        asked = ", ".join(f"{word} {100 * self.target[name]:g}%" for name, word in words.items() if name in self.target)
        share = f"{self.sampled:,} of {self.population:,} read"
        promise = f"{asked or 'what the budget bought'} at {100 * self.confidence:g}%"
        return f"{promise}, {self.tier}: {self.method}; {share}, seed {self.seed}"
