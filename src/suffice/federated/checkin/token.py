"""What a device carries between calls, signed so that no replica has to remember it."""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

from suffice.errors import SufficeError

_HEAD = struct.Struct("<qdHH")
_MAC_BYTES = 32


class TokenError(SufficeError):
    """The token was not issued here, was altered, or is too old."""


class Token(NamedTuple):
    """Leave for `client` to train `version` of `task` until `expires_s` (Unix time)."""

    client: str
    task: str
    version: int
    expires_s: float

    @property
    def update_id(self) -> bytes:
        """Names the one update this client may contribute to this version, however many tokens it fetched."""
        return hashlib.sha256(_body(self._replace(expires_s=0.0))).digest()[:16]


def sign(token: Token, secret: bytes) -> bytes:
    """The token followed by its HMAC-SHA256."""
    body = _body(token)
    return body + hmac.digest(secret, body, "sha256")


def verify(signed: bytes, secret: bytes, now_s: float) -> Token:
    """The token in `signed`; raises :class:`TokenError` when it is forged, damaged or expired."""
    body, mac = signed[:-_MAC_BYTES], signed[-_MAC_BYTES:]
    if not hmac.compare_digest(mac, hmac.digest(secret, body, "sha256")):
        raise TokenError("the token is not one of ours: check in again")
    version, expires_s, client_length, task_length = _HEAD.unpack_from(body)
    names = body[_HEAD.size :]
    if now_s > expires_s:
        raise TokenError(f"the token expired {now_s - expires_s:.0f} s ago: check in again")
    task = names[client_length : client_length + task_length]
    return Token(names[:client_length].decode(), task.decode(), version, expires_s)


def _body(token: Token) -> bytes:
    client, task = token.client.encode(), token.task.encode()
    return _HEAD.pack(token.version, token.expires_s, len(client), len(task)) + client + task
