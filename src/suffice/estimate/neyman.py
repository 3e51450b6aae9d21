"""How many of the next draws each stratum gets.

Source: Neyman (JRSS 1934): to estimate a total, draws in proportion to (units left) x (standard deviation). One
addition: a stratum whose values *could* lie far from what was seen gets at least the draws without which no
finite-sample bound on it can be as narrow as asked (the range term of Bernstein's inequality); plain Neyman would
starve it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def neyman(
    remaining: npt.NDArray[np.int64], deviation: Floats, reach: Floats, half_width: float, count: int
) -> npt.NDArray[np.int64]:
    """Draws a stratum (H,): about `count` in all, at least one and at most `remaining` where any are left.

    Args:
        remaining: (H,) units left.
        deviation: (H,) guessed standard deviation of a unit's value.
        reach: (H,) the farthest a value can lie from its guess.
        half_width: of the total, what is aimed at.
        count: draws wanted.
    """
    spread = max(float(remaining @ deviation), 1e-12)
    share = np.maximum(remaining * deviation / spread, half_width * remaining * reach / spread**2)
    draws, is_open = np.zeros_like(remaining), remaining > 0
    while is_open.any() and (missing := count - int(draws.sum())) > 0:
        portion = share * is_open + 1e-12 * is_open
        # Rounded up: the stratum that is drawn from least holds the stakes on all of them down.
        draws = np.minimum(draws + np.ceil(missing * portion / portion.sum()).astype(np.int64), remaining)
        is_open = draws < remaining
    return draws
