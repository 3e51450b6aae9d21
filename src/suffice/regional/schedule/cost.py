"""Seconds of a pass by the fraction of tiles that run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class StepCost:
    """``fixed_s + whole_s · fraction`` for a pass over some tiles; `dense_s` for a pass over the whole map."""

    fixed_s: float
    whole_s: float
    dense_s: float

    def seconds(self, fraction: float) -> float:
        return 0.0 if fraction <= 0 else self.fixed_s + self.whole_s * fraction

    @property
    def break_even(self) -> float:
        """From this active fraction on the dense pass is the quicker one; 1 when it never is."""
        if self.seconds(1.0) <= self.dense_s or self.whole_s <= 0:
            return 1.0
        return max(0.0, min(1.0, (self.dense_s - self.fixed_s) / self.whole_s))


def fit(points: Sequence[tuple[float, float]], dense_s: float) -> StepCost:
    """Least squares through (fraction, seconds); the fixed part is not below zero."""
    import numpy as np

    fractions, seconds = np.array(points, dtype=np.float64).T
    whole_s, fixed_s = np.polyfit(fractions, seconds, 1)
    if fixed_s < 0:
        fixed_s, whole_s = 0.0, float((fractions * seconds).sum() / (fractions**2).sum())
    return StepCost(float(fixed_s), float(whole_s), dense_s)
