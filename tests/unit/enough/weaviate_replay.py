"""A server that speaks as much of Weaviate's protocol (REST and gRPC, version 1) as our index asks of it.

Weaviate itself is a Go server that no package index has, so it cannot be started here. What the client sends is real;
what comes back has the shape of the protocol's own messages.
"""

from __future__ import annotations

import json
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


class WeaviateReplay:
    """`url` is what ``index => 'weaviate:…'`` takes; `classes` are the collections with their vectors."""

    def __init__(self) -> None:
        self.classes: dict[str, dict[str, tuple[int, np.ndarray]]] = {}
        self.schemas: dict[str, Any] = {}
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._rest())
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._grpc, port = self._serve_grpc()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}?grpc={port}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None)

    def _rest(self) -> type[BaseHTTPRequestHandler]:
        replay = self

        class Rest(BaseHTTPRequestHandler):
            def answer(self, status: int, body: Any = None) -> None:
                data = b"" if body is None else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                name = self.path.rpartition("/")[2]
                if self.path.startswith("/v1/schema/"):
                    known = name in replay.schemas
                    self.answer(200 if known else 404, replay.schemas.get(name, {"error": []}))
                elif self.path == "/v1/meta":
                    self.answer(200, {"version": "1.32.0", "hostname": "replay", "modules": {}})
                else:
                    self.answer(404 if "openid" in self.path else 200, {})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                replay.schemas[body["class"]], replay.classes[body["class"]] = body, {}
                self.answer(200, body)

            def log_message(self, *_: Any) -> None: ...

        return Rest

    def _serve_grpc(self) -> tuple[Any, int]:
        import grpc
        from weaviate.proto.v1 import batch_pb2, health_weaviate_pb2, search_get_pb2  # type: ignore[attr-defined]

        handlers = {
            "/grpc.health.v1.Health/Check": (self._health, health_weaviate_pb2.WeaviateHealthCheckRequest),
            "/weaviate.v1.Weaviate/BatchObjects": (self._batch, batch_pb2.BatchObjectsRequest),
            "/weaviate.v1.Weaviate/Search": (self._search, search_get_pb2.SearchRequest),
        }

        class Generic(grpc.GenericRpcHandler):
            def service(self, details: Any) -> Any:
                answer, request = handlers[details.method]
                return grpc.unary_unary_rpc_method_handler(
                    lambda message, _: answer(message), request.FromString, lambda reply: reply.SerializeToString()
                )

        server = grpc.server(ThreadPoolExecutor(2), handlers=(Generic(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        return server, port

    def _health(self, _: Any) -> Any:
        from weaviate.proto.v1 import health_weaviate_pb2  # type: ignore[attr-defined]

        return health_weaviate_pb2.WeaviateHealthCheckResponse(status=1)

    def _batch(self, request: Any) -> Any:
        from weaviate.proto.v1 import batch_pb2  # type: ignore[attr-defined]

        for one in request.objects:
            data = one.vector_bytes or one.vectors[0].vector_bytes
            number = int(one.properties.non_ref_properties["number"])
            self.classes[one.collection][one.uuid] = number, np.frombuffer(data, dtype="<f4")
        return batch_pb2.BatchObjectsReply()

    def _search(self, request: Any) -> Any:
        from weaviate.proto.v1 import properties_pb2, search_get_pb2  # type: ignore[attr-defined]

        kept = sorted(self.classes[request.collection].items())
        if request.HasField("near_vector"):
            near = request.near_vector
            data = near.vector_bytes or near.vectors[0].vector_bytes or near.vector_for_targets[0].vector_bytes
            asked = np.frombuffer(data, dtype="<f4")
            found = sorted((float(((v - asked) ** 2).sum()), key, n) for key, (n, v) in kept)[: request.limit]
        else:
            after = [(0.0, key, n) for key, (n, _) in kept if key > request.after]
            found = after[: request.limit or 100]
        results = []
        for distance, key, number in found:
            value = properties_pb2.Value(int_value=number)
            fields = properties_pb2.Properties(fields={"number": value})
            results.append(
                search_get_pb2.SearchResult(
                    properties=search_get_pb2.PropertiesResult(non_ref_props=fields),
                    metadata=search_get_pb2.MetadataResult(
                        id=key, id_as_bytes=uuid.UUID(key).bytes, distance=distance, distance_present=True
                    ),
                )
            )
        return search_get_pb2.SearchReply(results=results)
