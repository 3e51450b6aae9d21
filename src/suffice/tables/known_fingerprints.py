"""Fingerprints of a DuckDB file's tables, kept between processes: telling a large table anew takes a second.

They hold for one state of the file, and lie in the user's cache folder: in the file itself they would change it.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from suffice.tables.file_state import State


def known_fingerprints(target: str, state: State) -> dict[str, str]:
    """By table; empty where none is kept for this state of the file."""
    with suppress(OSError, ValueError):
        kept = json.loads(_file(target).read_text(encoding="utf-8"))
        if kept["state"] == [list(one) for one in state]:
            return {str(name): str(mark) for name, mark in kept["tables"].items()}
    return {}


def keep_fingerprint(target: str, state: State, name_sql: str, mark: str) -> None:
    """A folder that cannot be written to costs only time."""
    tables = {**known_fingerprints(target, state), name_sql: mark}
    file = _file(target)
    half = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps({"state": state, "tables": tables}), encoding="utf-8")
        half.replace(file)


def _file(target: str) -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.blake2b(os.path.realpath(target).encode(), digest_size=16).hexdigest()
    return Path(caches) / "suffice" / "fingerprints" / f"{name}.json"
