"""Weaviate: vectors in a collection of a server."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import numpy as np

from suffice.store.vectors.protocol import Floats, Indices, Vectors


class WeaviateIndex:
    """A collection of the server at `url`, such as ``http://localhost:8080?grpc=50051``, of vectors we bring along."""

    def __init__(self, url: str, name: str) -> None:
        import weaviate
        from weaviate.classes.config import Configure, DataType, Property, VectorDistances

        place = urlsplit(url)
        ports = {part.partition("=")[0]: int(part.partition("=")[2]) for part in place.query.split("&") if part}
        self._client = weaviate.connect_to_custom(
            http_host=place.hostname or "localhost",
            http_port=place.port or 8080,
            http_secure=place.scheme == "https",
            grpc_host=place.hostname or "localhost",
            grpc_port=ports.get("grpc", 50051),
            grpc_secure=place.scheme == "https",
        )
        name = name.capitalize()
        if not self._client.collections.exists(name):
            self._client.collections.create(
                name,
                properties=[Property(name="number", data_type=DataType.INT)],
                vector_config=Configure.Vectors.self_provided(
                    vector_index_config=Configure.VectorIndex.flat(distance_metric=VectorDistances.L2_SQUARED)
                ),
            )
        self._vectors = self._client.collections.use(name)

    def ids(self) -> Indices:
        found = [int(str(each.properties["number"])) for each in self._vectors.iterator()]
        return np.sort(np.array(found, dtype=np.int64))

    def add(self, ids: Indices, vectors: Vectors) -> None:
        from weaviate.classes.data import DataObject

        objects = [
            DataObject(properties={"number": int(number)}, vector=vector.tolist(), uuid=uuid.UUID(int=int(number)))
            for number, vector in zip(ids, vectors, strict=True)
        ]
        self._vectors.data.insert_many(objects)

    def nearest(self, vectors: Vectors, count: int) -> tuple[Indices, Floats]:
        from weaviate.classes.query import MetadataQuery

        asked = MetadataQuery(distance=True)
        found = [
            self._vectors.query.near_vector(vector.tolist(), limit=count, return_metadata=asked).objects
            for vector in vectors
        ]
        ids = np.array([[int(str(one.properties["number"])) for one in row] for row in found], dtype=np.int64)
        squares = np.array([[one.metadata.distance for one in row] for row in found], dtype=np.float64)
        return ids, np.sqrt(np.maximum(squares, 0.0))

    def close(self) -> None:
        self._client.close()
