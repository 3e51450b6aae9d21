"""Strata of equal length in table order, for video and other tables in which neighbours are alike.

Each stretch is sampled at random in itself, so the bounds of :class:`suffice.estimate.stratified_mean.StratifiedMean`
hold exactly; when neighbours are alike the variance left within stretches is small and the interval narrow. Taking
every k-th unit from a random start would do about as well but admits no honest interval from one run: it is a single
draw from k possible samples, its variance cannot be estimated without bias (Cochran 1977, section 8.11), and a value
that repeats every k units defeats it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def time_strata(count: int, strata: int) -> npt.NDArray[np.int64]:
    """(count,) the stratum 0..strata-1 of each unit: contiguous, sizes equal to within one."""
    return np.arange(count, dtype=np.int64) * strata // max(count, 1)
