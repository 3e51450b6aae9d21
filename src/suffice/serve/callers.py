"""Who calls, and what they may do.

A token comes as ``Authorization: Bearer …`` or, for the page, in a cookie that scripts cannot read. Without tokens the
server listens on this machine only and takes everyone there for its owner; since a web page of somebody else's can make
a browser call this machine, the Host header must then name it, and a request that changes anything must come from the
page itself (Origin).
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from fastapi import Depends, Request

from suffice.serve.problems import HttpError
from suffice.serve.settings import Role, ServeSettings, is_loopback

COOKIE = "suffice_token"


def role_of(request: Request, settings: ServeSettings) -> Role | None:
    """The caller's role; None for a stranger."""
    if not settings.tokens:
        return Role.ADMIN if is_loopback(_host(request)) else None
    given = _token(request)
    # Every token is compared, each in constant time: how long it takes says nothing of them.
    matching = [role for token, role in settings.tokens.items() if secrets.compare_digest(token.encode(), given)]
    return matching[0] if matching else None


def check_origin(request: Request) -> None:
    """Refuse what a page of another site makes a browser send."""
    origin = request.headers.get("origin")
    if request.method not in ("GET", "HEAD", "OPTIONS") and origin and urlsplit(origin).netloc != _netloc(request):
        raise HttpError(403, f"requests from pages of {origin[:200]} are not taken")


def needs(role: Role) -> Callable[[Request], Awaitable[Role]]:
    """A dependency that lets in callers of `role` or above, and gives theirs."""

    async def check(request: Request) -> Role:  # async: what takes no time needs no thread of the pool
        settings: ServeSettings = request.app.state.settings
        check_origin(request)
        found = role_of(request, settings)
        if found is None:
            raise HttpError(401, "a token is needed: Authorization: Bearer …", {"WWW-Authenticate": "Bearer"})
        if found < role:
            raise HttpError(403, f"this needs the role {role.name.lower()}, your token has {found.name.lower()}")
        return found

    return check


def _token(request: Request) -> bytes:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode()
    return request.cookies.get(COOKIE, "").encode()


def _netloc(request: Request) -> str:
    return request.headers.get("host", "")


def _host(request: Request) -> str:
    return urlsplit("//" + _netloc(request)).hostname or ""


READER = Depends(needs(Role.READ))
RUNNER = Depends(needs(Role.RUN))
ADMIN = Depends(needs(Role.ADMIN))
