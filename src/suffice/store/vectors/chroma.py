"""Chroma, embedded: vectors in a folder of Chroma's."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from suffice.store.vectors.protocol import Floats, Indices, Vectors

BATCH = 1000


class ChromaIndex:
    """A collection of Chroma's; its search is approximate (HNSW), which a proxy may be."""

    def __init__(self, folder: Path, name: str) -> None:
        import chromadb

        settings = chromadb.Settings(anonymized_telemetry=False)
        client = chromadb.PersistentClient(path=str(folder), settings=settings)
        self._vectors = client.get_or_create_collection(name, embedding_function=None, metadata={"hnsw:space": "l2"})

    def ids(self) -> Indices:
        return np.sort(np.array([int(name) for name in self._vectors.get(include=[])["ids"]], dtype=np.int64))

    def add(self, ids: Indices, vectors: Vectors) -> None:
        for at in range(0, len(ids), BATCH):
            self._vectors.add(
                ids=[str(number) for number in ids[at : at + BATCH]],
                embeddings=vectors[at : at + BATCH].astype(np.float32),
            )

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        parts = [self._query(vectors[at : at + BATCH], count) for at in range(0, len(vectors), BATCH)]
        return np.concatenate([ids for ids, _ in parts]), np.concatenate([far for _, far in parts])

    def close(self) -> None:
        """Nothing is held open."""

    def _query(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        found = self._vectors.query(query_embeddings=vectors.astype(np.float32), n_results=count, include=["distances"])
        squares = np.array(found["distances"], dtype=np.float64)
        return np.array(found["ids"]).astype(np.int64), np.sqrt(np.maximum(squares, 0.0))
