"""What reading a DuckDB file's tables has told, kept between processes: a large table takes a second to tell anew.

Fingerprints and what the store's own tables say hold for one state of the file, all else for one fingerprint. They lie
in the user's cache folder: in the file itself they would change it.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from suffice.tables.file_state import State

_TABLES_MAX = 100


def known_of_state(target: str, state: State, what: str) -> Any:
    """What is kept for this state of the file; None for nothing."""
    kept = _kept(target)
    same = kept["state"] == [list(one) for one in state]
    return kept["told"].get(what) if same else None


def keep_of_state(target: str, state: State, what: str, value: Any) -> None:
    """A folder that cannot be written to costs only time, here and below."""
    kept, now = _kept(target), [list(one) for one in state]
    told = kept["told"] if kept["state"] == now else {}
    _write(target, {**kept, "state": now, "told": {**told, what: value}})


def known_facts(target: str, mark: str) -> dict[str, Any]:
    """Of the table with this fingerprint, by what is asked."""
    return dict(_kept(target)["facts"].get(mark, {}))


def keep_fact(target: str, mark: str, what: str, value: Any) -> None:
    kept = _kept(target)
    facts = {**kept["facts"], mark: {**kept["facts"].get(mark, {}), what: value}}
    _write(target, {**kept, "facts": dict(list(facts.items())[-_TABLES_MAX:])})


def _kept(target: str) -> dict[str, Any]:
    """Not to be changed."""
    with suppress(OSError, ValueError, TypeError):
        file = _file(target)
        found = os.stat(file)
        return _read(str(file), found.st_ino, found.st_mtime_ns)
    return {"state": None, "told": {}, "facts": {}}


@lru_cache(maxsize=8)
def _read(file: str, inode: int, changed_ns: int) -> dict[str, Any]:
    """Of one state of the file, which is replaced as a whole."""
    return {"state": None, "told": {}, "facts": {}, **json.loads(Path(file).read_text(encoding="utf-8"))}


def _write(target: str, kept: dict[str, Any]) -> None:
    file = _file(target)
    half = file.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(json.dumps(kept), encoding="utf-8")
        half.replace(file)


def _file(target: str) -> Path:
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    name = hashlib.blake2b(os.path.realpath(target).encode(), digest_size=16).hexdigest()
    return Path(caches) / "suffice" / "tables" / f"{name}.json"
