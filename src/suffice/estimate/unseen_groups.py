"""How large a group can be and still have no row in any drawn block.

A group with rows in k of N blocks is missed by n drawn without replacement with probability at most (1 - n/N)^k. At
most ``rows / k`` groups can be in k blocks or more, so all of them are seen unless an event of probability
``(rows / k) (1 - n/N)^k`` happens (Boole).
"""

from __future__ import annotations

import math


def unseen_group_blocks_max(drawn: int, population: int, rows: int, delta: float) -> int:
    """With probability 1 - `delta`, no group with rows in this many blocks or more is missing."""
    if drawn >= population:
        return 1
    step = -math.log1p(-drawn / population)
    k = 1
    while k * step < math.log(max(rows / k, 1.0) / delta):
        k = max(k + 1, math.ceil(k * 1.02))
    return k
