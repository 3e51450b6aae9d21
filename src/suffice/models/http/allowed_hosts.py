"""Which hosts models may call: everything for a person at a terminal, a short list for a server of strangers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlsplit

from suffice.errors import ModelUnavailableError, UsageError, nearest

_KEY_PARAMETER = re.compile(
    r"(api|access|auth|subscription)?[-_]?(key|token)|secret|sig|signature|pass(word)?|code", re.I
)

_allowed: frozenset[str] | None = None


def restrict_hosts(hosts: Iterable[str] | None) -> None:
    """Let HTTP models of this process call only `hosts` (``name`` or ``name:port``); None lifts the limit.

    Redirects are never followed, so the host that is checked is the host that is called.
    """
    global _allowed
    _allowed = None if hosts is None else frozenset(host.lower() for host in hosts)


def check_host(url: str) -> None:
    """Raise :class:`ModelUnavailableError` when `url` is on a host that models may not call."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if _allowed is not None and not {host, f"{host}:{parts.port}"} & _allowed:
        raise ModelUnavailableError(f"models may not call {host!r} here{nearest(host, _allowed)}")


def checked_url(url: str) -> str:
    """`url` when it is a plain http(s) address; a key inside it would be stored and logged, so none is let in."""
    try:
        parts = urlsplit(url)
        well_formed = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        well_formed = False
    if not well_formed:
        raise UsageError(f"{url[:200]!r} is not an address of the form https://host/path")
    if parts.username or parts.password:
        raise UsageError(
            f"the address of {parts.hostname} holds a user or password: name an environment variable instead"
        )
    for name, _ in parse_qsl(parts.query):
        if _KEY_PARAMETER.fullmatch(name):
            raise UsageError(
                f"the address of {parts.hostname} holds a {name!r}: send it as a header with ${{VARIABLE}}"
            )
    return url


def shown_url(url: str) -> str:
    """`url` without its query, which may hold what nobody should read in a log."""
    return url.partition("?")[0]
