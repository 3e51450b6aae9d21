"""What a server may do, decided before it starts."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path


class Role(IntEnum):
    """What the holder of a token may do; each role includes those before it."""

    READ = 1
    """Look at answers, pictures, models and the store; ask what costs no model call."""
    RUN = 2
    """Ask anything that only reads, make masks and pictures, add files."""
    ADMIN = 3
    """Every statement SQL has, models of one's own, dropping results."""


@dataclass(frozen=True)
class ServeSettings:
    """One server.

    Attributes:
        target: the database, as :func:`suffice.connect` takes it.
        roots: folders that media and files are read from; what is uploaded or made goes to the first.
        tokens: token to role; none at all lets everyone on this machine in as admin, and nobody else.
        lanes: statements that run at the same time, each on a connection of its own.
        queue_max: jobs that may wait; one more is answered 429.
        upload_bytes_max: of one request's body.
        requests_per_s, requests_burst: of one caller.
        model_hosts: hosts that HTTP models may call; None is any.
    """

    target: str
    roots: tuple[Path, ...]
    host: str = "127.0.0.1"
    port: int = 8321
    tokens: dict[str, Role] = field(default_factory=dict)
    lanes: int = 2
    queue_max: int = 64
    upload_bytes_max: int = 1 << 30
    body_bytes_max: int = 8 << 20
    requests_per_s: float = 100.0
    requests_burst: int = 400
    model_hosts: tuple[str, ...] | None = None

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether `host` names this machine and nothing else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
