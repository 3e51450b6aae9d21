"""What an index of embeddings is to the rest of the house."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


class VectorIndex(Protocol):
    """Vectors of one width under the numbers of what they are of; what is added stays."""

    def ids(self) -> Indices:
        """(n,) the numbers that are in the index, rising."""
        ...

    def add(self, ids: Indices, vectors: Vectors) -> None:
        """Take in vectors (k, d) under numbers (k,) that are not in the index yet."""
        ...

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        """(m, count) numbers of the nearest to each of (m, d), and their Euclidean distances, nearest first."""
        ...

    def close(self) -> None:
        """Let go of what it holds; what it keeps stays kept."""
        ...
