"""Processes of a pool: one library thread each, no ear for Ctrl-C, and gone with whoever started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from suffice.processes import process_pool

STARTS_TWO = """
import os, time
from suffice.processes import process_pool

if __name__ == "__main__":
    with process_pool(2, int) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(20)} | set(pool._processes), flush=True)
        time.sleep(600)
"""


def state(_):
    time.sleep(0.3)  # long enough for every process to take one
    return os.getpid(), os.environ.get("OMP_NUM_THREADS"), signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_all_processes_are_born_with_one_thread_and_ours_stays_as_it_was(monkeypatch):
    for before in ("3", None):
        monkeypatch.setenv("OMP_NUM_THREADS", before) if before else monkeypatch.delenv("OMP_NUM_THREADS")
        with process_pool(3, int) as pool:
            assert os.environ.get("OMP_NUM_THREADS") == before
            found = set(pool.map(state, range(9)))
        assert len(found) == 3 and {one[1:] for one in found} == {("1", True)}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_they_end_with_whoever_started_them(how, tmp_path):
    (tmp_path / "two.py").write_text(STARTS_TWO)
    starter = subprocess.Popen(
        [sys.executable, str(tmp_path / "two.py")], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        pids = [int(pid) for pid in starter.stdout.readline().split()]
        assert len(pids) == 2 and all(map(runs, pids))
        starter.send_signal(how)
        starter.wait(30)
        until = time.monotonic() + 30
        while any(map(runs, pids)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(runs, pids))
    finally:
        starter.kill()


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
