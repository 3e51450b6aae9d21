"""What the server refuses before it reads it: bodies too large, callers too quick; and the headers it sends along."""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from suffice.serve.problems import problem
from suffice.serve.settings import ServeSettings

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline';"
        b" frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    ),
)
_CALLERS_MAX = 10_000


class _TooLargeError(Exception):
    pass


class Limits:
    """ASGI middleware. Uploads may be `upload_bytes_max` large, everything else `body_bytes_max`."""

    def __init__(self, app: ASGIApp, settings: ServeSettings) -> None:
        self._app, self._settings = app, settings
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        wait_s = self._wait(_caller(scope))
        if wait_s > 0:
            refused = problem(429, "too many requests", {"Retry-After": str(int(wait_s) + 1)})
            await refused(scope, receive, _with_headers(send))
            return
        most = self._settings.upload_bytes_max if scope["path"] == "/api/media" else self._settings.body_bytes_max
        await self._limited(scope, receive, _with_headers(send), most)

    async def _limited(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > most:
            await _too_large(most)(scope, receive, send)
            return
        seen, started = 0, False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise _TooLargeError
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            if seen <= most or started:  # else it is what the application makes of a body that was cut off
                started = True
                await send(message)

        with suppress(_TooLargeError):
            await self._app(scope, counted, noted)
        if seen > most and not started:
            await _too_large(most)(scope, receive, send)

    def _wait(self, caller: str) -> float:
        """Seconds `caller` has to wait; a token bucket each."""
        now = time.monotonic()
        left, then = self._buckets.pop(caller, (float(self._settings.requests_burst), now))
        left = min(self._settings.requests_burst, left + (now - then) * self._settings.requests_per_s)
        self._buckets[caller] = (max(left - 1, 0) if left >= 1 else left, now)
        if len(self._buckets) > _CALLERS_MAX:
            self._buckets.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) / self._settings.requests_per_s


def _too_large(bytes_max: int) -> Response:
    return problem(413, f"the request is larger than {bytes_max:,} bytes")


def _caller(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _with_headers(send: Send) -> Send:
    async def sent(message: Any) -> None:
        if message["type"] == "http.response.start":
            own = {name for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in HEADERS if pair[0] not in own)]
        await send(message)

    return sent
