"""An index of nothing but numpy: every distance is computed, a block of questions at a time."""

from __future__ import annotations

import numpy as np

from suffice.store.vectors.protocol import Floats, Indices, Vectors

BLOCK = 4096


class FlatIndex:
    """Exact, in memory; good up to some ten thousand vectors."""

    def __init__(self, width: int) -> None:
        self._ids = np.zeros(0, dtype=np.int64)
        self._vectors = np.zeros((0, width), dtype=np.float32)

    def ids(self) -> Indices:
        return np.sort(self._ids)

    def add(self, ids: Indices, vectors: Vectors) -> None:
        self._ids = np.append(self._ids, ids)
        self._vectors = np.concatenate([self._vectors, vectors.astype(np.float32)])

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        parts = [self._block(vectors[at : at + BLOCK], count) for at in range(0, len(vectors), BLOCK)]
        return np.concatenate([ids for ids, _ in parts]), np.concatenate([far for _, far in parts])

    def close(self) -> None:
        """Nothing is held open."""

    def _block(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        squares = (vectors**2).sum(axis=1)[:, None] + (self._vectors**2).sum(axis=1) - 2 * vectors @ self._vectors.T
        near = np.argsort(squares, axis=1, kind="stable")[:, :count]
        far = np.sqrt(np.maximum(np.take_along_axis(squares, near, axis=1), 0.0))
        return self._ids[near], far.astype(np.float64)
