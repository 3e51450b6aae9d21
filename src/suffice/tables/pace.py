"""How fast this machine's database goes through stored values: measured once a target, kept in its store."""

from __future__ import annotations

import time

from suffice.tables.reader import Reader

_ROWS = 1_000_000
_KNOWN: dict[str, float] = {}


def seconds_per_value(reader: Reader) -> float:
    """Of a plain aggregate, over all threads."""
    target = reader.database.target
    if target not in _KNOWN:
        _KNOWN[target] = _calibrate(reader)
    return _KNOWN[target]


def _calibrate(reader: Reader) -> float:
    """Generated values take about what decoding stored ones does; the best of two runs is the machine's own pace."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        reader.rows(f"SELECT sum(range * 0.5), max(range % 7) FROM range({_ROWS}) WHERE range % 3 < 2")
        times.append(time.perf_counter() - started)
    return min(times) / _ROWS / 8
