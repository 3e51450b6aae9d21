"""A process that dies loses at most one batch; the same statement then pays only for the rest."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from paid_model import BATCH, ROWS, ask

ANSWER = [(ROWS, ROWS * (ROWS - 1))]
SCRIPT = str(Path(__file__).with_name("paid_model.py"))


def run_until(target: Path, ledger: Path, lines: int, how: signal.Signals) -> subprocess.Popen[str]:
    """Start the statement in a process of its own and signal it once `lines` inputs are paid."""
    process = subprocess.Popen(
        [sys.executable, SCRIPT, str(target), str(ledger), "0.02"], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not ledger.exists() or ledger.read_text().count("\n") < lines):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(how)
    process.wait(30)
    return process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_at_most_one_batch_is_lost(tmp_path: Path, how: signal.Signals) -> None:
    target, ledger = tmp_path / "k.suffice", tmp_path / "ledger"
    process = run_until(target, ledger, 23, how)
    paid = [int(line) for line in ledger.read_text().splitlines()]
    assert 23 <= len(paid) < ROWS
    if how == signal.SIGINT:
        assert process.stdout is not None
        said = process.stdout.read()
        assert said.startswith("interrupted: ") and "are kept" in said and said.count("\n") == 1
    assert ask(str(target), str(ledger), 0.0) == ANSWER
    everything = [int(line) for line in ledger.read_text().splitlines()]
    assert set(everything) == set(range(ROWS))
    assert len(everything) <= ROWS + BATCH
    assert ask(str(target), str(ledger), 0.0) == ANSWER
    assert len(ledger.read_text().splitlines()) == len(everything)


def test_a_second_process_is_told_who_has_the_file(tmp_path: Path) -> None:
    target, ledger = tmp_path / "k.suffice", tmp_path / "ledger"
    first = subprocess.Popen([sys.executable, SCRIPT, str(target), str(ledger), "0.05"], stdout=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not ledger.exists():
        time.sleep(0.01)
    second = subprocess.run(
        [sys.executable, SCRIPT, str(target), str(ledger), "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 1
    assert f"process {first.pid}" in second.stdout and second.stdout.count("\n") == 1
    assert first.wait(60) == 0
    assert len(ledger.read_text().splitlines()) == ROWS
