"""How fast this machine goes through stored values, in CPU seconds: measured once a process, in some milliseconds."""

from __future__ import annotations

import time

from suffice.tables.reader import Reader

_ROWS = 60_000
_PER_ROW = 30.0
_KNOWN: dict[str, float] = {}


def seconds_per_value(reader: Reader) -> float:
    """Of a plain aggregate, over all threads; CPU time, which other processes disturb least."""
    target = reader.database.target
    if target not in _KNOWN:
        _KNOWN[target] = _calibrate(reader)
    return _KNOWN[target]


def _calibrate(reader: Reader) -> float:
    """Generated values take several times what decoding a stored one does; `_PER_ROW` is how many times."""
    times = []
    for _ in range(2):
        started = time.process_time()
        reader.rows(f"SELECT sum(range * 0.5), max(range % 7) FROM range({_ROWS}) WHERE range % 3 < 2")
        times.append(time.process_time() - started)
    return min(times) / _ROWS / _PER_ROW
