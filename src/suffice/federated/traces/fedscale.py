"""FedScale's device files: the trace format other projects reuse, read without running what is in them."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32, Ints
from suffice.federated.traces.columns import Traces

_ALLOWED = {("collections", "OrderedDict"), ("builtins", "dict"), ("builtins", "list"), ("builtins", "set")}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED:
            return super().find_class(module, name)
        raise SufficeError(f"refused: the pickle asks for {module}.{name}; a trace holds only dicts, lists and numbers")


def _load(path: str | Path) -> Mapping[Any, Mapping[str, Any]]:
    try:
        table = _PlainUnpickler(io.BytesIO(Path(path).read_bytes())).load()
    except SufficeError as error:
        raise SufficeError(f"{path}: {error}") from None
    except Exception as error:
        raise SufficeError(f"{path} is not a readable pickle: {error}") from None
    if not isinstance(table, dict) or not table:
        raise SufficeError(f"{path}: expected a dict of clients, found {type(table).__name__}")
    return table


def read_fedscale(capacity_path: str | Path, availability_path: str | Path | None = None) -> Traces:
    """Read a capacity file ``{client: {'computation': ms, 'communication': kbps}}`` and an availability file
    ``{client: {'active': [s], 'inactive': [s], 'finish_time': s}}``; client i takes availability i modulo its length.

    Raises:
        SufficeError: the pickle holds anything but plain values, or lacks a field.
    """
    capacity = list(_load(capacity_path).values())
    try:
        speed = np.array([row["computation"] for row in capacity], dtype=np.float32)
        kbps = np.array([row["communication"] for row in capacity], dtype=np.float32)
        if availability_path is None:
            always = Traces.always(len(speed))
            return Traces(speed, kbps, kbps, always.period_s, always.offsets, always.start_s, always.end_s)
        return Traces(speed, kbps, kbps, *_sessions(list(_load(availability_path).values()), len(speed)))
    except KeyError as error:
        raise SufficeError(f"{capacity_path} or {availability_path}: a client lacks the field {error}") from None
    except (TypeError, ValueError) as error:
        raise SufficeError(f"{capacity_path} or {availability_path}: not numbers where they belong: {error}") from None


def _sessions(rows: list[Mapping[str, Any]], clients: int) -> tuple[Floats32, Ints, Floats32, Floats32]:
    chosen = [i % len(rows) for i in range(clients)]
    period_s = np.array([rows[i]["finish_time"] for i in chosen], dtype=np.float32)
    sessions = [_within(row) for row in rows]
    starts, ends = ([sessions[i][column] for i in chosen] for column in (0, 1))
    offsets = np.concatenate([[0], np.cumsum([len(start) for start in starts])]).astype(np.int64)
    return period_s, offsets, np.concatenate(starts), np.concatenate(ends)


def _within(row: Mapping[str, Any]) -> tuple[Floats32, Floats32]:
    """Starts and ends of the sessions that have both; time after ``finish_time`` never comes."""
    pairs = list(zip(row["active"], row["inactive"], strict=False))
    both = np.array(pairs, dtype=np.float32).reshape(-1, 2).clip(0.0, row["finish_time"])
    both = both[~(both[:, 0] >= both[:, 1])]
    return both[:, 0], both[:, 1]


def write_fedscale(traces: Traces, capacity_path: str | Path, availability_path: str | Path) -> None:
    """Write `traces` as FedScale's two files, client ids from 1; one bandwidth a client is all the format holds,
    so the uplink, the slower way, is written."""
    speed = {
        i + 1: {"computation": float(ms), "communication": float(kbps)}
        for i, (ms, kbps) in enumerate(zip(traces.ms_per_sample, traces.up_kbps, strict=True))
    }
    Path(capacity_path).write_bytes(pickle.dumps(speed))
    Path(availability_path).write_bytes(pickle.dumps({i + 1: _one(traces, i) for i in range(len(traces))}))


def _one(traces: Traces, client: int) -> dict[str, Any]:
    rows = slice(int(traces.offsets[client]), int(traces.offsets[client + 1]))
    active, inactive = traces.start_s[rows].tolist(), traces.end_s[rows].tolist()
    period_s = float(traces.period_s[client])
    online_s = sum(inactive) - sum(active)
    return {"duration": online_s, "active": active, "inactive": inactive, "finish_time": period_s, "model": ""}
