"""Start a server and say where it is."""

from __future__ import annotations

import socket
import sys

from fastapi import FastAPI

from suffice.errors import SufficeError
from suffice.serve.settings import ServeSettings

HEADERS_BYTES_MAX = 32 << 10
KEEP_ALIVE_S = 20


def run(app: FastAPI, settings: ServeSettings, what: str) -> None:
    """Serve until interrupted; the address is printed once the port is open.

    Raises:
        SufficeError: the port cannot be had.
    """
    import uvicorn

    listening = _open(settings.host, settings.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"{what} on http://{shown}:{port}", file=sys.stderr, flush=True)
    config = uvicorn.Config(
        app,
        http="h11",  # the one that bounds headers
        log_level="warning",
        h11_max_incomplete_event_size=HEADERS_BYTES_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


def _open(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=512
        )
    except OSError as error:
        raise SufficeError(f"cannot listen on {host}:{port}: {error.strerror}") from None
