"""What values larger than any seen could still add to a total.

With probability 1 - delta, at most a share ``ln(1/delta) / n`` of the population is larger than the largest of n
randomly drawn values (the rule of three; without replacement it is smaller still). None lies beyond the known range.
Rows of one block are not drawn independently, so for blocks this is an assumption, and part of the asymptotic tier:
that the few largest values lie no closer together than the others. `REACH_MAX` keeps it from mattering: a range many
times wider than what was seen is not trusted at all.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

REACH_MAX = 4.0


def unseen_allowance(limit: Floats, seen: Floats, rows_drawn: int, rows: int, delta: float) -> Floats:
    """The most that `rows` rows can add beyond what `rows_drawn` showed; `limit` and `seen` are magnitudes >= 0."""
    return rows * np.maximum(limit - seen, 0.0) * min(1.0, math.log(1 / delta) / max(rows_drawn, 1))


def is_range_reached(limit: Floats, seen: Floats) -> npt.NDArray[np.bool_]:
    """Whether the sample came close enough to the end of the known range to speak for it."""
    return limit <= REACH_MAX * seen
