"""How several claims share a failure probability so that all are settled after about as many draws."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DOUBT = 1.5  # what looks this much easier than the hardest, going by few draws, may be as hard
_LEAST = 1 / 3  # of the hardest one's draws: a claim that needs less still pays for no more evidence than thrice its


def shares_of(delta: float, draws: Floats) -> Floats:
    """(M,) evidence ``log(1 / share)`` for M claims whose shares add up to `delta`.

    The draws a claim takes are in proportion to its evidence. So what needs few `draws` (M,) at equal shares (estimated
    beforehand; not finite where nothing is known) gets a small share, which costs it little, and the others more.
    """
    usable = np.isfinite(draws) & (draws >= 0)
    hardest = float(draws[usable].max(initial=0.0))
    if not hardest:
        return np.full(draws.shape, np.log(len(draws) / delta))
    hard = np.clip(np.where(usable, _DOUBT * draws / hardest, 1.0), _LEAST, 1.0)
    low, high = 0.0, float(np.log(len(draws) / delta))
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if np.exp(-middle / hard).sum() > delta else (low, middle)
    # sums of doubles differ in the last digits from thread to thread, and evidence must not
    return np.asarray(np.ceil(1e6 * high / hard) / 1e6)
