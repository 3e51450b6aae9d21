"""Bound the length of an update."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Floats32


def clip(delta: Floats32, norm_max: float, trained: Bools) -> Floats32:
    """Shorten each row of `delta` ``[K, P]`` to `norm_max`. Elements that are not `trained` (running statistics,
    counters) are set to zero: they would carry data past the noise."""
    kept = np.where(trained, delta, np.float32(0.0))
    norms = np.linalg.norm(kept.astype(np.float64), axis=1, keepdims=True)
    shrunk: Floats32 = kept * np.minimum(1.0, norm_max / np.maximum(norms, 1e-30)).astype(np.float32)
    return shrunk
