"""A real HTTP server on the loopback, scripted by each test, that writes down what reached it and when."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What the server does.

    `body` is JSON, or bytes as they are; `reset` breaks the connection off, `drip_s` waits before every byte.
    """

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = MappingProxyType({})
    delay_s: float = 0.0
    reset: bool = False
    drip_s: float = 0.0


class Seen(NamedTuple):
    """One request as it came in; `json` is None when the body is not JSON."""

    time_s: float
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    json: Any


@dataclass
class Server:
    """`answer` gives the reply to each request; `seen` keeps them all, `busy_max` how many were open at once."""

    url: str = ""
    answer: Callable[[Seen], Reply] = lambda seen: Reply({})
    seen: list[Seen] = field(default_factory=list)
    busy: int = 0
    busy_max: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def replies(self, *replies: Reply) -> None:
        """Answer with these one after the other, and with the last one ever after."""
        left = list(replies)
        self.answer = lambda seen: left.pop(0) if len(left) > 1 else left[0]


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            with server.lock:
                server.busy += 1
                server.busy_max = max(server.busy_max, server.busy)
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(time.monotonic(), self.command, self.path, headers, body, _json(body))
                server.seen.append(seen)
                reply = server.answer(seen)
            time.sleep(reply.delay_s)
            # Counted down before the answer goes out: the client may send its next request at once.
            with server.lock:
                server.busy -= 1
            self._send(reply)

        do_GET = do_PUT = do_POST  # noqa: N815

        def _send(self, reply: Reply) -> None:
            if reply.reset:
                # Closing with linger 0 sends RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                socket.close(self.connection.detach())
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            for part in [body[i : i + 1] for i in range(len(body))] if reply.drip_s else [body]:
                time.sleep(reply.drip_s)
                self.wfile.write(part)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = True
    # The default of 5 makes the kernel drop connections of a burst.
    request_queue_size = 64

    def handle_error(self, *args: Any) -> None:
        """Clients that hung up and connections we reset are part of the tests."""


@contextmanager
def serve() -> Iterator[Server]:
    scripted = Server()
    http = _QuietServer(("127.0.0.1", 0), _handler(scripted))
    scripted.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield scripted
    http.shutdown()
    http.server_close()
