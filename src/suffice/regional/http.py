"""The service over HTTP, on the standard library: POST /pictures gives a PNG, GET /queue the state."""

from __future__ import annotations

import io
import json
import math
from dataclasses import fields
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from suffice.errors import SufficeError, UsageError, nearest
from suffice.regional.service import QueueFullError, Service
from suffice.regional.settings import RequestSettings, parse_skip

BODY_BYTES_MAX = 65_536


def server(service: Service, host: str, port: int) -> ThreadingHTTPServer:
    """A server bound to `host` and `port` (0: any free one); call its ``serve_forever``."""
    handler = type("Handler", (_Handler,), {"service": service})
    return ThreadingHTTPServer((host, port), handler)


def read_request(body: bytes) -> RequestSettings:
    """The settings in a JSON body: ``prompt`` and any other field of a request, ``skip`` as on the command line."""
    try:
        told = json.loads(body)
    except ValueError:
        raise UsageError("the body is not JSON") from None
    known = {one.name: one.type for one in fields(RequestSettings)}
    if not isinstance(told, dict) or not isinstance(told.get("prompt"), str):
        raise UsageError("the body must be a JSON object with a text 'prompt'")
    for name, value in told.items():
        if name not in known:
            raise UsageError(f"there is no field {name!r}{nearest(name, known)}")
        if not _fits(known[name], value):
            raise UsageError(f"{name}: {value!r} is not of type {known[name]}")
    return RequestSettings(**{**told, "skip": parse_skip(told.get("skip", "auto"))})


def _fits(kind: Any, value: Any) -> bool:
    wanted: dict[str, tuple[type, ...]] = {"str": (str,), "SkipSettings": (str,), "float": (int, float)}
    return isinstance(value, wanted.get(str(kind), (int,))) and not isinstance(value, bool)


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        if self.path == "/queue":
            self._json(HTTPStatus.OK, self.service.state())
        else:
            self._json(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path}: GET /queue, POST /pictures"})

    def do_POST(self) -> None:
        if self.path != "/pictures":
            self._json(HTTPStatus.NOT_FOUND, {"error": f"there is no {self.path}: GET /queue, POST /pictures"})
            return
        try:
            images = self.service.submit(read_request(self._body())).result()
        except QueueFullError as error:
            self._json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": str(error), "retry_s": error.retry_s}, error.retry_s)
        except UsageError as error:
            self._json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        except SufficeError as error:
            self._json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": str(error)})
        else:
            self._send(HTTPStatus.OK, "image/png", _png(images[0]))

    def _body(self) -> bytes:
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 < size <= BODY_BYTES_MAX:
            raise UsageError(f"a body of {size} bytes: between 1 and {BODY_BYTES_MAX}")
        return self.rfile.read(size)

    def _json(self, status: HTTPStatus, value: dict[str, Any], retry_s: float | None = None) -> None:
        self._send(status, "application/json", json.dumps(value).encode(), retry_s)

    def _send(self, status: HTTPStatus, kind: str, body: bytes, retry_s: float | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if retry_s is not None:
            self.send_header("Retry-After", str(math.ceil(retry_s)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what matters is in the answers."""


def _png(image: Any) -> bytes:
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
