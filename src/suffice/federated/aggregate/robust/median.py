"""Coordinate-wise median."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats, Floats32


def median(delta: Floats32, hostile: int) -> Floats:
    """The median of each coordinate of `delta` ``[K, P]`` (Yin et al., ICML 2018); withstands fewer than K / 2."""
    return np.median(delta.astype(np.float64), axis=0)
