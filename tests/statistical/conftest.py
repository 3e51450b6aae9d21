"""The long statistical runs, resumable: what has passed on this very code is not run again.

``pytest -m coverage --resume out/coverage tests/statistical`` keeps the names of passed tests in a file of that folder
whose name is a digest of the code they judge.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
JUDGED = ("src/suffice/estimate", "src/suffice/answer", "src/suffice/sql", "tests/statistical", "tests/unit/enough")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--resume", metavar="FOLDER", help="leave out what passed before on the same code, and note more")


def kept(config: pytest.Config) -> Path | None:
    folder = config.getoption("--resume")
    if folder is None:
        return None
    digest = hashlib.blake2b(digest_size=8)
    for part in JUDGED:
        for file in sorted((ROOT / part).rglob("*.py")):
            digest.update(file.read_bytes())
    return Path(folder) / f"passed-{digest.hexdigest()}.txt"


def pytest_configure(config: pytest.Config) -> None:
    config.suffice_passed = kept(config)  # type: ignore[attr-defined]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    file: Path | None = config.suffice_passed  # type: ignore[attr-defined]
    if file is None or not file.exists():
        return
    passed = set(file.read_text(encoding="utf-8").splitlines())
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in passed])
    items[:] = [item for item in items if item.nodeid not in passed]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):  # type: ignore[no-untyped-def]
    report = (yield).get_result()
    file: Path | None = item.config.suffice_passed  # type: ignore[attr-defined]
    if file is not None and report.when == "call" and report.passed:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a", encoding="utf-8") as lines:  # short appended lines of several workers do not mix
            lines.write(item.nodeid + "\n")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and kept(session.config) is not None:
        session.exitstatus = pytest.ExitCode.OK  # all of them had passed
