"""A PostgreSQL server on a temporary folder, started and stopped by the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "postgres"


def initdb() -> str | None:
    """The server's own initdb: on the PATH, or where Debian keeps it."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return str(found[-1]) if found else shutil.which("initdb")


def missing() -> str:
    """Why no server can be started here; empty when one can."""
    if initdb() is None:
        return "PostgreSQL's server is not installed"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL does not run as root, and setpriv is missing"
    return ""


def _as_server(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root: become its own user then."""
    if os.getuid() != 0:
        return command
    return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]


@contextmanager
def postgres_server() -> Iterator[str]:
    """The server's DSN; sockets only, nothing is written through to the disk."""
    tool = initdb()
    assert tool is not None
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    if os.getuid() == 0:
        shutil.chown(folder, USER, USER)
    data, binaries = folder / "data", Path(tool).resolve().parent
    subprocess.run(
        _as_server([tool, "-D", str(data), "-U", "tester", "-A", "trust", "-E", "UTF8", "--no-sync"]),
        check=True,
        capture_output=True,
        cwd=folder,
    )
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        _as_server([*control, "-o", options, "-l", str(folder / "log"), "start"]),
        check=True,
        cwd=folder,
        capture_output=True,
    )
    try:
        yield f"postgresql://tester@/postgres?host={folder}"
    finally:
        subprocess.run(_as_server([*control, "-m", "immediate", "stop"]), check=False, cwd=folder, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
