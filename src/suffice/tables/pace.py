"""How fast this machine goes through stored values, in CPU seconds: measured once a store, and kept in it."""

from __future__ import annotations

import os
import platform
import time
from contextlib import suppress

from suffice.store.database import literal
from suffice.tables.reader import Reader
from suffice.tables.store_rows import store_rows

_ROWS = 60_000
_PER_ROW = 30.0
_KNOWN: dict[str, float] = {}


def seconds_per_value(reader: Reader) -> float:
    """Of a plain aggregate, over all threads; CPU time, which other processes disturb least."""
    target = reader.database.target
    if target not in _KNOWN:
        _KNOWN[target] = _kept(reader) or _measured(reader)
    return _KNOWN[target]


def _name() -> str:
    return literal(f"seconds per value on {platform.node()}, {os.cpu_count()} cores")


def _kept(reader: Reader) -> float | None:
    found = store_rows(reader, f"SELECT value FROM {reader.database.schema}.meta WHERE name = {_name()}")
    return float(found[0][0]) if found else None


def _measured(reader: Reader) -> float:
    """A calibration run; what it finds is kept unless another is writing."""
    import duckdb

    found = _calibrate(reader)
    with suppress(duckdb.Error):
        reader.database.rows(f"INSERT INTO {reader.database.schema}.meta VALUES ({_name()}, '{found!r}')")
    return found


def _calibrate(reader: Reader) -> float:
    """Generated values take several times what decoding a stored one does; `_PER_ROW` is how many times."""
    times = []
    for _ in range(3):
        started = time.process_time()
        reader.rows(f"SELECT sum(range * 0.5), max(range % 7) FROM range({_ROWS}) WHERE range % 3 < 2")
        times.append(time.process_time() - started)
    return min(times) / _ROWS / _PER_ROW
