"""Which units to look at so that every other has one near it, and what those say of the rest.

Sources: farthest-point traversal (Gonzalez, Theoretical Computer Science 1985), whose largest distance is at most twice
the least possible; score propagation from the nearest representatives as in TASTI (SIGMOD 2022). Nothing a guarantee
rests on: what comes out is a proxy like any other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def farthest_points(vectors: Vectors, count: int, chosen: Indices) -> Indices:
    """(<= count,) units, each the farthest from all before it and from those `chosen` already.

    Args:
        vectors: (N, d).
        chosen: (k,) units that are representatives beforehand; with none the first is the one nearest the middle.

    Ends early when every unit lies on a representative.
    """
    if not len(vectors):
        return np.zeros(0, dtype=np.int64)
    squares, picked = (vectors**2).sum(axis=1), list[int]()
    if chosen.size:
        far = np.min([_squared(vectors, squares, int(unit)) for unit in chosen], axis=0)
    else:
        middle = vectors.mean(axis=0)
        picked.append(int(np.argmin(squares - 2 * vectors @ middle)))
        far = _squared(vectors, squares, picked[0])
    while len(picked) < count and float(far.max()) > 1e-6 * float(squares.max()):
        picked.append(int(np.argmax(far)))
        far = np.minimum(far, _squared(vectors, squares, picked[-1]))
    return np.array(picked[:count], dtype=np.int64)


def _squared(vectors: Vectors, squares: npt.NDArray[np.float32], unit: int) -> npt.NDArray[np.float32]:
    return np.asarray(np.maximum(squares + squares[unit] - 2 * vectors @ vectors[unit], 0.0))


def propagated(values: Floats, distances: Floats, count: int) -> Floats:
    """(N,) means over the `count` nearest representatives that have a value, weighted by one over the distance.

    Args:
        values: (N, k) of each unit's representatives, nearest first; NaN where nobody knows.
        distances: (N, k).

    A unit with none that has a value gets the mean of all.
    """
    known = np.isfinite(values)
    known &= np.cumsum(known, axis=1) <= count
    if not known.any():
        return np.zeros(len(values))
    softening = 1e-6 + 1e-2 * float(distances[known].mean())
    weights = np.where(known, 1 / (distances + softening), 0.0)
    total = weights.sum(axis=1)
    mean = (weights * np.where(known, values, 0.0)).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.where(total > 0, mean, float(values[known].mean()))
