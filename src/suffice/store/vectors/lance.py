"""LanceDB, embedded: vectors in a folder of Lance files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suffice.store.vectors.protocol import Floats, Indices, Vectors


class LanceIndex:
    """A table ``(id, vector)`` of a LanceDB folder, searched exactly."""

    def __init__(self, width: int, folder: Path, name: str) -> None:
        import lancedb
        import pyarrow as pa

        self._schema = pa.schema([("id", pa.int64()), ("vector", pa.list_(pa.float32(), width))])
        self._table = lancedb.connect(str(folder)).create_table(name, schema=self._schema, exist_ok=True)

    def ids(self) -> Indices:
        return np.sort(self._table.to_arrow().column("id").to_numpy().astype(np.int64))

    def add(self, ids: Indices, vectors: Vectors) -> None:
        import pyarrow as pa

        flat = pa.array(np.ascontiguousarray(vectors, dtype=np.float32).ravel())
        column = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
        self._table.add(pa.table([pa.array(ids), column], schema=self._schema))

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        found = [
            self._table.search(vector.astype(np.float32)).bypass_vector_index().limit(count).to_arrow()
            for vector in vectors
        ]
        ids = np.stack([rows.column("id").to_numpy() for rows in found]).astype(np.int64)
        squares = np.stack([rows.column("_distance").to_numpy() for rows in found]).astype(np.float64)
        return ids, np.sqrt(np.maximum(squares, 0.0))

    def close(self) -> None:
        """Nothing is held open."""
