"""One scrambled database for all tests that only read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import suffice

sys.path.insert(0, str(Path(__file__).parent))

from tables_data import database


@pytest.fixture(scope="package")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with database(tmp_path_factory.mktemp("tables")) as connection:
        yield connection
