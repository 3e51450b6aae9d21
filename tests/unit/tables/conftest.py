"""Every table is worth sampling here, however small: what a machine's pace says must not decide a test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import suffice

sys.path.insert(0, str(Path(__file__).parent))

from tables_data import database

from suffice.tables import pace


@pytest.fixture(autouse=True)
def slow_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_calibrate", lambda reader: 1e-3)


@pytest.fixture(scope="package")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with database(tmp_path_factory.mktemp("tables")) as connection:
        yield connection
