"""Whether the file of a target is the one it was."""

from __future__ import annotations

import os

State = tuple[tuple[int, ...], ...]


def file_state(target: str) -> State | None:
    """Of a DuckDB file and its log; None in memory, where nothing tells. It never comes back once something is
    written: the time of change is not for users to set."""
    try:
        stats = [os.stat(path) for path in (target, target + ".wal") if os.path.exists(path)]
    except OSError:
        return None
    return tuple((s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for s in stats) or None
