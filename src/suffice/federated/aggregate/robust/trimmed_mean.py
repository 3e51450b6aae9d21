"""Coordinate-wise trimmed mean."""

from __future__ import annotations

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats, Floats32


def trimmed_mean(delta: Floats32, hostile: int) -> Floats:
    """The mean of each coordinate of `delta` ``[K, P]`` without its `hostile` lowest and highest (Yin et al., ICML
    2018); raises :class:`SufficeError` when nothing would be left."""
    if 2 * hostile >= len(delta):
        raise SufficeError(f"trimmed_mean: {len(delta)} updates cannot withstand {hostile} hostile ones")
    ordered = np.sort(delta.astype(np.float64), axis=0)
    kept: Floats = ordered[hostile : len(delta) - hostile].mean(axis=0)
    return kept
