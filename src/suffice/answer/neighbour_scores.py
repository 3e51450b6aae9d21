"""A score from labels already known: how often the units nearest in the table said yes.

For video, where neighbours are alike, this is a proxy that costs nothing. Source: score propagation from
representatives (TASTI, SIGMOD 2022), with the place in the table as the embedding.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEIGHBOURS = 3


def neighbour_scores(
    size: int, labelled: npt.NDArray[np.int64], labels: npt.NDArray[np.bool_]
) -> npt.NDArray[np.float64]:
    """(size,) mean label of the nearest labelled units, weighted by 1 / (1 + distance)."""
    order = np.argsort(labelled)
    places, values = labelled[order], labels[order].astype(np.float64)
    middle = np.searchsorted(places, np.arange(size))
    near = np.clip(middle[:, None] + np.arange(-NEIGHBOURS, NEIGHBOURS)[None], 0, places.size - 1)
    weights = 1 / (1 + np.abs(places[near] - np.arange(size)[:, None]))
    return np.asarray((weights * values[near]).sum(axis=1) / weights.sum(axis=1))
