"""What every bound returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Tier = Literal["exact", "finite-sample", "asymptotic"]


@dataclass(frozen=True)
class Interval:
    """An interval that holds an unknown number with probability at least `confidence`.

    Attributes:
        estimate: the natural point estimate; not always the middle (see :func:`suffice.estimate.relative.best_point`).
        low, high: both ends included; either may be infinite.
        confidence: at least this, in [0, 1]; for tier ``"asymptotic"`` about this, as `n` grows.
        method: name of the bound.
        tier: ``"exact"``: nothing left to chance; ``"finite-sample"``: proved for every `n` under `assumptions`;
            ``"asymptotic"``: a limit theorem, can fail badly on heavy tails.
        assumptions: what the statement rests on, one clause each.
        n: units observed.
        population: units there are, None when unknown or sampled with replacement.
    """

    estimate: float
    low: float
    high: float
    confidence: float
    method: str
    tier: Tier
    assumptions: tuple[str, ...]
    n: int
    population: int | None

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    @property
    def width(self) -> float:
        return self.high - self.low

    def scaled(self, factor: float, shift: float = 0.0) -> Interval:
        """The interval of ``factor * value + shift``."""
        ends = sorted((factor * self.low + shift, factor * self.high + shift))
        return replace(self, estimate=factor * self.estimate + shift, low=ends[0], high=ends[1])
