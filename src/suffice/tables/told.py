"""What a table says of itself when it is read whole, asked once for each state of the table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from suffice.tables.fingerprint import WORTH_KEEPING_S, fingerprint
from suffice.tables.kept_facts import keep_fact, known_facts
from suffice.tables.reader import Reader

_KNOWN: dict[tuple[str, str, str], Any] = {}
"""By target, fingerprint and what is asked."""


def is_told(reader: Reader, name_sql: str, what: str) -> bool:
    """Whether :func:`told` would not have to read."""
    target, mark = reader.database.target, fingerprint(reader, name_sql)
    return (target, mark, what) in _KNOWN or (reader.state is not None and what in known_facts(target, mark))


def told(reader: Reader, name_sql: str, what: str, tell: Callable[[], Any]) -> Any:
    """``tell()``, a value that JSON can hold, or what it gave for the table as it is now."""
    target, mark = reader.database.target, fingerprint(reader, name_sql)
    key = (target, mark, what)
    if key not in _KNOWN:
        kept = known_facts(target, mark) if reader.state is not None else {}
        started = time.perf_counter()
        _KNOWN[key] = kept[what] if what in kept else tell()
        if what not in kept and reader.state is not None and time.perf_counter() - started > WORTH_KEEPING_S:
            keep_fact(target, mark, what, _KNOWN[key])
    return _KNOWN[key]
