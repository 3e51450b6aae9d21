"""A server over a folder with two pictures and a clip, in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from media.media_clips import write_clip
from PIL import Image
from starlette.testclient import TestClient

from suffice.serve.app import create_app
from suffice.serve.settings import Role, ServeSettings

sys.path.insert(0, str(Path(__file__).parent))

TOKENS = {"reads": Role.READ, "runs": Role.RUN, "rules": Role.ADMIN}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for name, level in (("dark", 10), ("light", 240)):
        Image.fromarray(np.full((60, 80, 3), level, np.uint8)).save(root / f"{name}.png")
    (root / "clip.mp4").write_bytes(write_clip([0, 100, 200, 300]))
    (tmp_path / "secret.csv").write_text("word\nhidden\n")
    return root


@pytest.fixture
def settings(folder: Path) -> ServeSettings:
    return ServeSettings(str(folder.parent / "town.suffice"), (folder,))


@pytest.fixture
def client(settings: ServeSettings) -> Iterator[TestClient]:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def guarded(settings: ServeSettings) -> Iterator[TestClient]:
    with TestClient(create_app(replace(settings, tokens=TOKENS)), base_url="http://town.example") as client:
        yield client
