"""FAISS, embedded: the index that is used when it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from suffice.store.vectors.protocol import Floats, Indices, Vectors


class FaissIndex:
    """Exact distances by FAISS; with a `path` the index is written there after each :meth:`add`."""

    def __init__(self, width: int, path: Path | None = None) -> None:
        import faiss

        self._path = path
        self._index: Any
        if path is not None and path.exists():
            self._index = faiss.read_index(str(path))
        else:
            self._index = faiss.IndexIDMap2(faiss.IndexFlatL2(width))

    def ids(self) -> Indices:
        import faiss

        return np.sort(faiss.vector_to_array(self._index.id_map).astype(np.int64))

    def add(self, ids: Indices, vectors: Vectors) -> None:
        import faiss

        self._index.add_with_ids(np.ascontiguousarray(vectors, dtype=np.float32), ids)
        if self._path is not None:
            new = self._path.with_suffix(".new")
            faiss.write_index(self._index, str(new))
            new.replace(self._path)

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        squares, ids = self._index.search(np.ascontiguousarray(vectors, dtype=np.float32), count)
        return ids.astype(np.int64), np.sqrt(np.maximum(squares, 0.0)).astype(np.float64)

    def close(self) -> None:
        """Nothing is held open."""
