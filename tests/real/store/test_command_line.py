"""The command line, killed or interrupted in the middle of a statement, goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

BATCH, ROWS = 5, 60
SLOW = f"""
import os, time, suffice

@suffice.model(version="1", batch=True, batch_size={BATCH}, concurrency=1)
def slow(x: list[int]) -> list[int]:
    for each in x:
        time.sleep(0.02)
        with open("ledger", "a") as file:
            file.write(f"{{each}}\\n")
    return [each + 1 for each in x]
"""
QUESTION = f"SELECT count(*) AS n, sum(slow(i)) AS s FROM range({ROWS}) r(i)"
ANSWER = [[ROWS, ROWS * (ROWS + 1) // 2]]


def suffice_sql(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    code = "import sys; from suffice.cli import main; sys.argv[0] = 'suffice'; main()"
    command = [sys.executable, "-c", code, "sql", *arguments, "--db", "k.suffice"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, text=True, **pipes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    created = suffice_sql(tmp_path, "CREATE MODEL slow USING 'python:slow.py:slow'")
    assert created.wait(300) == 0, created.stderr and created.stderr.read()
    return tmp_path


def paid(folder: Path) -> list[int]:
    ledger = folder / "ledger"
    return [int(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_loses_at_most_one_batch(folder: Path, how: signal.Signals) -> None:
    first = suffice_sql(folder, QUESTION)
    deadline = time.monotonic() + 60
    while len(paid(folder)) < 17 and time.monotonic() < deadline:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(how)
    _, said = first.communicate(timeout=30)
    assert first.returncode != 0 and "Traceback" not in said
    if how == signal.SIGINT:
        assert said.splitlines()[-1].startswith("suffice: interrupted: ") and " are kept" in said
    assert 17 <= len(paid(folder)) < ROWS
    out, _ = suffice_sql(folder, QUESTION, "--json").communicate(timeout=60)
    answer = json.loads(out)
    assert answer["rows"] == ANSWER
    assert set(paid(folder)) == set(range(ROWS)) and len(paid(folder)) <= ROWS + BATCH
    assert answer["work"]["model_calls"]["slow"]["cached"] >= 17 - BATCH


def test_store_shows_and_drops(folder: Path) -> None:
    def store(*arguments: str) -> dict[str, object]:
        code = "import sys; from suffice.cli import main; sys.argv[0] = 'suffice'; main()"
        command = [sys.executable, "-c", code, "store", *arguments, "--db", "k.suffice", "--json"]
        return dict(json.loads(subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout))

    assert suffice_sql(folder, QUESTION).wait(300) == 0
    summary = store()
    (call,) = summary["calls"]  # type: ignore[misc]
    assert (call["model"], call["inputs"], call["done"]) == ("slow", ROWS, ROWS)
    assert summary["bytes"] == os.path.getsize(folder / "k.suffice")
    assert store("drop", "--unused-days", "1") == {"dropped_inputs": 0}
    assert store("drop", "--model", "slow") == {"dropped_inputs": ROWS}
    assert suffice_sql(folder, QUESTION).wait(300) == 0
    assert len(paid(folder)) == 2 * ROWS


def test_errors_are_one_line_on_stderr(folder: Path) -> None:
    for statement, words in (
        ("SELECT slw(1)", "slow"),
        ("SELECT nope", "nope"),
        ("", "no statement"),
        ("SELECT 1; SELECT 2", "one statement"),
    ):
        process = suffice_sql(folder, statement)
        out, said = process.communicate(timeout=60)
        assert process.returncode in (1, 2) and not out
        assert said.startswith("suffice: ") and said.count("\n") == 1 and words in said
