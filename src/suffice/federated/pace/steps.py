"""How a training script says that it has taken a step, and hears how many threads to take the next with."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from pathlib import Path

VARIABLE = "SUFFICE_PACE_STEPS"
_COUNT = struct.Struct("<q")
_THREADS_AT = _COUNT.size
_SIZE = 2 * _COUNT.size
_map: mmap.mmap | None = None
_threads = 0


def step() -> None:
    """Count one training step, for whoever paces this process, and run on with as many threads as it asks for (PyTorch
    only); does nothing when nobody paces."""
    global _map
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    if _map is None:
        with open(path, "r+b") as file:
            _map = mmap.mmap(file.fileno(), _SIZE)
    _COUNT.pack_into(_map, 0, _COUNT.unpack_from(_map)[0] + 1)
    _take_threads(_COUNT.unpack_from(_map, _THREADS_AT)[0])


def _take_threads(wanted: int) -> None:
    global _threads
    if wanted != _threads and (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(wanted)
        _threads = wanted


def create_counter(path: Path) -> None:
    """Make the file :func:`step` counts in."""
    path.write_bytes(bytes(_SIZE))


def read_counter(path: Path) -> int:
    """Steps counted so far."""
    (count,) = _COUNT.unpack_from(path.read_bytes())
    return int(count)


def ask_threads(path: Path, threads: int) -> None:
    """Have the next step run with `threads` threads."""
    with path.open("r+b") as file:
        file.seek(_THREADS_AT)
        file.write(_COUNT.pack(threads))
