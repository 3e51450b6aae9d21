"""How many units the next round asks."""

from __future__ import annotations

import math

ROUND_MIN = 8
ROUND_FULL = 64
"""A round that keeps every model busy for most of its time: those above it may grow more slowly."""


def next_count(n: int, error: float, size: int) -> int:
    """Units for the next round when `n` of `size` were drawn: few at first and near the end, so that little is asked in
    vain. Widths fall with the square root of 1/n - 1/size."""
    if not n:
        return 2 * ROUND_MIN
    wanted = 1 / (1 / size + (1 / n - 1 / size) / error**2) if math.isfinite(error) else 3.0 * n
    most = max(ROUND_MIN, min(n // 2, ROUND_FULL), n // 8)
    return int(min(max(ROUND_MIN // 2, 0.5 * (wanted - n)), most))  # half of what is wanted, for widths err
