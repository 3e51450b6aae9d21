"""How several claims share a failure probability so that all are settled after about as many draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LEAST = 1 / 3  # of the hardest one's draws: a claim that needs less still pays for no more evidence than thrice its


def shares_of(delta: float, draws: Floats, met: Floats) -> Floats:
    """(M,) evidence ``log(1 / share)`` for M claims whose shares add up to `delta`.

    The draws a claim takes are in proportion to its evidence. So what surely needs few draws gets a small share, which
    costs it little, and leaves more to the others.

    Args:
        draws: (M,) estimates of what each takes at equal shares; not finite where nothing is known.
        met: (M,) how many values tell: an estimate may be off by two standard errors of that many.
    """
    usable = np.isfinite(draws) & (draws > 0) & (met > 0)
    doubt = (1 + 2 / np.sqrt(np.where(usable, met, 1.0))) ** 2
    hardest = float((draws / doubt)[usable].max(initial=0.0))
    if not hardest:
        return np.full(draws.shape, np.log(len(draws) / delta))
    hard = np.clip(np.where(usable, draws * doubt / hardest, 1.0), _LEAST, 1.0)
    low, high = 0.0, float(np.log(len(draws) / delta))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(-middle / hard).sum() > delta else (low, middle)
    # sums of doubles differ in the last digits from thread to thread, and evidence must not
    return np.asarray(np.ceil(1e6 * high / hard) / 1e6)
