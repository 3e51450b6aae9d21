"""How many bytes of media were read, for whoever asks."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

BUFFER_BYTES = 1 << 16


@dataclass
class Meter:
    """Bytes that came from disk or over the network, read-ahead included; threads may share one."""

    bytes_read: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, count: int) -> None:
        with self.lock:
            self.bytes_read += count


_METER: ContextVar[Meter | None] = ContextVar("suffice_meter", default=None)


@contextmanager
def metering(meter: Meter | None) -> Iterator[None]:
    """Files opened in the block are read on `meter`'s account; threads begin without one."""
    token = _METER.set(meter)
    try:
        yield
    finally:
        _METER.reset(token)


def current_meter() -> Meter | None:
    """The meter of this thread."""
    return _METER.get()


def open_metered(path: str) -> BinaryIO:
    """A local file; what is read of it is counted."""
    meter = _METER.get()
    if meter is None:
        return open(path, "rb")
    return cast(BinaryIO, io.BufferedReader(_MeteredFile(path, meter), BUFFER_BYTES))


def metered(file: Any) -> BinaryIO:
    """A file that something else opened; what is read of it is counted."""
    meter = _METER.get()
    return cast(BinaryIO, file if meter is None else _MeteredReader(file, meter))


class _MeteredFile(io.FileIO):
    def __init__(self, path: str, meter: Meter) -> None:
        super().__init__(path, "rb")
        self._meter = meter

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer)
        self._meter.add(count or 0)
        return count

    def readall(self) -> bytes:
        data = super().readall()
        self._meter.add(len(data or b""))
        return data


class _MeteredReader:
    """Reads of a file-like object, counted; everything else as it is."""

    def __init__(self, file: Any, meter: Meter) -> None:
        self._file, self._meter = file, meter

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._file.read(size)
        self._meter.add(len(data))
        return data

    def readinto(self, buffer: Any) -> int:
        count: int = self._file.readinto(buffer)
        self._meter.add(count)
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> _MeteredReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
