"""Keys come from the environment when a request is sent, and never reach a message, a log or a store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from suffice.errors import ModelUnavailableError, UsageError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SECRET_HEADER = re.compile(r"auth|cookie|key|secret|token", re.IGNORECASE)
_SHORTEST_SECRET = 6


def bearer(variable: str) -> dict[str, str]:
    """Header template that sends the key in environment variable `variable`."""
    return {"Authorization": f"Bearer ${{{variable}}}"}


def check_headers(headers: Mapping[str, object]) -> dict[str, str]:
    """`headers` if they can be sent and none carries a key in the clear; raises :class:`UsageError`."""
    for name, value in headers.items():
        if not isinstance(value, str) or not re.fullmatch(r"[!#-'*+.^_`|~\w-]+", name) or not value.isprintable():
            raise UsageError(f"header {name[:80]!r} is not a name with a one-line text")
        if _SECRET_HEADER.search(name) and not _VARIABLE.search(value):
            raise UsageError(f"header {name!r} must take its key from the environment: write ${{VARIABLE}} in it")
    return {name: str(value) for name, value in headers.items()}


def has_variable(template: str) -> bool:
    """Whether the text names an environment variable."""
    return _VARIABLE.search(template) is not None


def fill_headers(templates: Mapping[str, str]) -> tuple[dict[str, str], frozenset[str]]:
    """Headers with ``${VARIABLE}`` filled in, and the values that must not be shown."""
    shown = "\n".join(templates.values())
    values = {name: _read(name) for name in _VARIABLE.findall(shown)}
    headers = {name: _VARIABLE.sub(lambda m: values[m[1]], text) for name, text in templates.items()}
    return headers, frozenset(values.values())


def _read(variable: str) -> str:
    value = os.environ.get(variable, "").strip()
    if not value:
        raise ModelUnavailableError(f"environment variable {variable} is not set: it must hold the key")
    if not (value.isascii() and value.isprintable()):
        raise ModelUnavailableError(f"environment variable {variable} holds characters that no header may have")
    return value


def redact(text: str, secrets: frozenset[str]) -> str:
    """`text` with every secret blotted out."""
    for secret in _long_enough(secrets):
        text = text.replace(secret, "***")
    return text


def redact_bytes(body: bytes, secrets: frozenset[str]) -> bytes:
    """An answer with every secret it repeats blotted out, before any of it can become a row or half a message."""
    for secret in _long_enough(secrets):
        body = body.replace(secret.encode(), b"***")
    return body


def _long_enough(secrets: frozenset[str]) -> list[str]:
    """Secrets that can be told from ordinary text, longest first because one may hold another."""
    return sorted((secret for secret in secrets if len(secret) >= _SHORTEST_SECRET), key=len, reverse=True)
