"""How much of the failure probability each look may spend, when a bound is made for one look only.

With shares that sum to at most one, all looks hold together (Boole). The look *times* must be fixed in advance, or
follow only from what was seen before the sample that is looked at.
"""

from __future__ import annotations


def look_share(look: int) -> float:
    """The share of delta for look number 1, 2, ...: 1 / (k (k + 1)), which sums to one over all looks for ever."""
    return 1 / (look * (look + 1))
