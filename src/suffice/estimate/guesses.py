"""Working guesses of each stratum's mean and variance. They tune bets and allocation; no guarantee rests on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DOUBT = 0.04
"""Of a unit with the widest spread possible, added to what was seen: variance that few units may not have shown."""


def guesses(seen: Floats, total: Floats, squares: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """(mean (…, H), variance (…, H)), shrunk to what all strata together show: more so where large values are rare.

    Args:
        seen: (H,) number of values of a stratum seen so far.
        total, squares: (…, H) their sum and sum of squares.
        low, high: (…, H) range of the values.
    """
    widest = np.maximum(0.25 * (high - low) ** 2, 1e-300)
    count = float(seen.sum())
    sum_, sum_squares = total.sum(axis=-1, keepdims=True), squares.sum(axis=-1, keepdims=True)
    pooled = (np.maximum(sum_squares - sum_**2 / max(count, 1.0), 0.0) + _DOUBT * widest) / (count + _DOUBT)
    variance = np.minimum(pooled, widest)
    weight = widest / variance
    mean = (sum_ + (low + high) / 2) / (count + 1)
    within = np.maximum(squares - total**2 / np.maximum(seen, 1), 0.0)
    return np.clip((total + mean) / (seen + 1), low, high), (within + weight * variance) / (seen + weight)
