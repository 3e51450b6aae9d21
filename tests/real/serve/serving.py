"""A `suffice serve` of its own, as a process on a free port of this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serving(*arguments: str, folder: Path) -> Iterator[str]:
    """The address of ``suffice serve ARGUMENTS``, run in `folder`."""
    command = [sys.executable, "-m", "suffice", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if " on http://" in line:
                break
        else:
            raise AssertionError(said)
        yield said.rsplit(" ", 1)[1].strip()
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
