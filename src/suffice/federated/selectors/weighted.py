"""Weighted draws without replacement."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Ints


def draw_weighted(members: Ints, weights: Floats, count: int, rng: np.random.Generator) -> Ints:
    """`count` of `members` without replacement, each next one in proportion to its weight.

    Exponential races (Efraimidis and Spirakis, 2006): O(n), against O(n log n) and worse for successive draws.
    Members of weight zero come last, in random order.
    """
    count = min(count, len(members))
    if count == 0:
        return members[:0]
    race = rng.exponential(size=len(members)) / np.maximum(weights, np.finfo(np.float64).tiny)
    return members[np.argpartition(race, count - 1)[:count]]
