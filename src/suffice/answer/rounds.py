"""How many units the next round asks."""

from __future__ import annotations

import math

ROUND_MIN = 8


def next_count(n: int, error: float, size: int) -> int:
    """Units for the next round when `n` of `size` were drawn: few at first and near the end, so that little is asked in
    vain. Widths fall with the square root of 1/n - 1/size."""
    if not n:
        return 2 * ROUND_MIN
    wanted = 1 / (1 / size + (1 / n - 1 / size) / error**2) if math.isfinite(error) else 3.0 * n
    return int(min(max(ROUND_MIN // 2, 0.5 * (wanted - n)), max(ROUND_MIN, n // 8)))  # half of it, for widths err
