"""Krum."""

from __future__ import annotations

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats, Floats32


def krum(delta: Floats32, hostile: int) -> Floats:
    """The one update of `delta` ``[K, P]`` closest to its ``K - hostile - 2`` nearest others (Blanchard et al.,
    NeurIPS 2017); raises :class:`SufficeError` unless K > 2 hostile + 2."""
    if len(delta) <= 2 * hostile + 2:
        raise SufficeError(f"krum: {len(delta)} updates cannot withstand {hostile} hostile ones")
    rows = delta.astype(np.float64)
    square = (rows**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square[None, :] - 2.0 * rows @ rows.T, 0.0)
    np.fill_diagonal(distance, np.inf)
    score = np.sort(distance, axis=1)[:, : len(delta) - hostile - 2].sum(axis=1)
    return np.asarray(rows[int(score.argmin())])
