"""The total over all blocks from a simple random sample of them: Student's t with known block count, widened for skew.

Sources: Cochran, "Sampling Techniques" (1977), 2.8 (finite-population correction) and 2.15 (n > 25 G1^2 before the
normal approximation is used); Johnson (JASA 1978) and Hall (JRSS-B 1992) for the first Edgeworth term of the
studentised mean: ``(2 z^2 + 1) G1 / (6 sqrt(n))`` standard errors on the side of the long tail. It is only ever added,
never taken off the other side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SKEW_RULE = 25.0


@dataclass(frozen=True)
class Moments:
    """Of block values, one entry a statistic: sums of powers over `n` drawn blocks (blocks without rows count as 0)."""

    n: int
    sum1: Floats
    sum2: Floats
    sum3: Floats

    @property
    def mean(self) -> Floats:
        return self.sum1 / self.n

    @property
    def variance(self) -> Floats:
        """Unbiased."""
        return np.maximum(self.sum2 - self.n * self.mean**2, 0.0) / max(self.n - 1, 1)

    @property
    def skewness(self) -> Floats:
        """G1, 0 for constant values."""
        mean, spread = self.mean, np.sqrt(np.maximum(self.sum2 / self.n - self.mean**2, 0.0))
        third = self.sum3 / self.n - 3 * mean * self.sum2 / self.n + 2 * mean**3
        with np.errstate(all="ignore"):
            ratio: Floats = np.nan_to_num(third / spread**3)
        return ratio


def is_near_normal(moments: Moments, n: int | None = None) -> npt.NDArray[np.bool_]:
    """Cochran's rule for `n` blocks (default: those seen)."""
    return SKEW_RULE * moments.skewness**2 <= (n or moments.n)


def half_widths(moments: Moments, population: int, delta: float, n: int | None = None) -> tuple[Floats, Floats]:
    """(below, above) the estimated total; each interval fails with probability about `delta`.

    With `n` given: predicted for a sample of that many blocks.
    """
    from scipy.special import stdtrit

    n = n or moments.n
    z = float(stdtrit(max(n - 1, 1), 1 - delta / 2))
    scale = population * np.sqrt(moments.variance * max(1 / n - 1 / population, 0.0))
    stretch = (2 * z * z + 1) * moments.skewness / (6 * np.sqrt(n))
    return scale * (z + np.maximum(-stretch, 0.0)), scale * (z + np.maximum(stretch, 0.0))
