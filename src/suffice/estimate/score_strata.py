"""Strata from a score: halving towards both ends, where a good (or an inverted) score puts what is rare."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def score_strata(
    scores: npt.NDArray[np.float64], levels: int, size_min: int = 50, *, upper_only: bool = False
) -> npt.NDArray[np.int64]:
    """(N,) stratum of each unit, 0..H-1 by rising score, H <= 2 * levels (levels + 1 if `upper_only`); equal scores
    share one.

    Cuts lie at the quantiles 1/2, 1/4 and 3/4, 1/8 and 7/8, ... as long as the smallest stratum holds `size_min` units.
    More levels only split strata further.
    """
    halvings = min(levels, int(np.log2(max(scores.size / size_min, 1))))
    shares = {2.0**-k for k in range(1, halvings + 1)}
    if not shares:
        return np.zeros(scores.size, dtype=np.int64)
    upper = {1 - share for share in shares}
    cuts = np.unique(np.quantile(scores, sorted(upper if upper_only else upper | shares)))
    return np.unique(np.searchsorted(cuts, scores, side="right"), return_inverse=True)[1].astype(np.int64)
