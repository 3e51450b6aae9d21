"""A scripted server, and surroundings that do not reach the tests."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from loopback_server import Server, serve

from suffice.models.http import allowed_hosts, retry


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as scripted:
        yield scripted


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No proxies or keys of whoever runs the tests; short back-off; no host limit left behind."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_API_KEY", "HF_TOKEN", "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(retry, "FIRST_DELAY_S", 0.01)
    yield
    allowed_hosts.restrict_hosts(None)


@pytest.fixture
def picture() -> np.ndarray:
    """uint8 RGB ``[40, 60, 3]``: left half red, right half blue."""
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30, 0] = pixels[:, 30:, 2] = 255
    return pixels
