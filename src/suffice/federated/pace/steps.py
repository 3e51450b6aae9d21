"""How a training script says that it has taken a step, and hears how many threads to take the next with."""

from __future__ import annotations

import mmap
import os
import struct
import sys
from functools import cache
from pathlib import Path

VARIABLE = "SUFFICE_PACE_STEPS"
_COUNT = struct.Struct("<q")
_THREADS_AT = _COUNT.size
_SIZE = 2 * _COUNT.size
_threads = 0


def step() -> None:
    """Count one training step, for whoever paces this process, and run on with as many threads as it asks for (PyTorch
    only); does nothing when nobody paces."""
    path = os.environ.get(VARIABLE)
    if path is None:
        return
    counter = _opened(path)
    _COUNT.pack_into(counter, 0, _COUNT.unpack_from(counter)[0] + 1)
    _take_threads(_COUNT.unpack_from(counter, _THREADS_AT)[0])


@cache
def _opened(path: str) -> mmap.mmap:
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), _SIZE)


def _take_threads(wanted: int) -> None:
    global _threads
    if wanted != _threads and (torch := sys.modules.get("torch")) is not None:
        torch.set_num_threads(wanted)
        _threads = wanted


def take_all(threads: int) -> None:
    """Run on with `threads` threads, if :func:`step` was told of another number."""
    if _threads:
        _take_threads(threads)


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
