"""Closed-form finite-sample interval from three numbers: size, mean and standard deviation of one sample.

For many groups at once, where the history that betting needs was not kept. One look only, at a size fixed in advance.

Sources: Maurer & Pontil, "Empirical Bernstein bounds" (COLT 2009), theorem 4, for independent draws; Bardenet &
Maillard, "Concentration inequalities for sampling without replacement" (Bernoulli 2015), theorem 4.3, for finite
populations.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def bernstein_half_width(
    n: npt.ArrayLike, deviation: npt.ArrayLike, scale: float, delta: float, population: int | None = None
) -> Floats:
    """Half-width that holds on both sides with probability 1 - `delta`, elementwise over samples.

    Args:
        n: sizes of the samples, at least 2.
        deviation: their standard deviations: divisor n - 1 when `population` is None, n otherwise.
        scale: width of the range of the values.
    """
    size, spread = np.asarray(n, dtype=np.float64), np.asarray(deviation, dtype=np.float64)
    if population is None:
        log_ratio = math.log(4 / delta)
        return spread * np.sqrt(2 * log_ratio / size) + 7 * scale * log_ratio / (3 * (size - 1))
    log_ratio = math.log(10 / delta)
    left = np.where(size <= population / 2, 1 - (size - 1) / population, (1 - size / population) * (1 + 1 / size))
    return spread * np.sqrt(2 * left * log_ratio / size) + (7 / 3 + 3 / math.sqrt(2)) * scale * log_ratio / size
