"""Tiny checkpoints are written once a test process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "huggingface")]


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory):
    return tmp_path_factory.mktemp("masks_checkpoints")


@pytest.fixture
def noise():
    return np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
