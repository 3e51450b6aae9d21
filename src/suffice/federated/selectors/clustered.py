"""Every kind of client is represented."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Ints, State
from suffice.federated.selectors.protocol import Feedback, Moment
from suffice.federated.selectors.weighted import draw_weighted


class ClusteredSelector:
    """Spread the places evenly over the clusters online; within one, draw in proportion to samples.

    After Fraboni et al., *Clustered Sampling*, ICML 2021: less variance in who is represented than one big draw.
    """

    def __init__(self, cluster_of: Ints, samples: Ints) -> None:
        self._cluster_of = cluster_of
        self._samples = samples

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        labels, cluster, sizes = np.unique(self._cluster_of[online], return_inverse=True, return_counts=True)
        places = spread_places(sizes, min(count, len(online)), rng)
        chosen = [self._draw(online[cluster == i], int(places[i]), rng) for i in range(len(labels))]
        return np.concatenate(chosen) if chosen else online[:0]

    def observe(self, feedback: Feedback) -> None:
        """Clusters are fixed."""

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """Nothing to take up."""

    def _draw(self, members: Ints, count: int, rng: np.random.Generator) -> Ints:
        return draw_weighted(members, self._samples[members].astype(np.float64), count, rng)


def spread_places(sizes: Ints, count: int, rng: np.random.Generator) -> Ints:
    """As equal shares of `count` as the cluster `sizes` allow; who gets the odd places is drawn."""
    places = np.zeros(len(sizes), dtype=np.int64)
    while (left := count - int(places.sum())) > 0:
        open_ = rng.permutation(np.flatnonzero(places < sizes))
        share = max(1, left // len(open_))
        takers = open_[: left // share]
        places[takers] += np.minimum(share, sizes[takers] - places[takers])
    return places
