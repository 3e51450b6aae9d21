"""Encoded pictures that were asked for: the last ones. References name content, so what was made stays true."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

BYTES_MAX = 48 << 20


class Thumbnails:
    """The most recent `bytes_max` bytes of them; for any number of threads."""

    def __init__(self, bytes_max: int = BYTES_MAX) -> None:
        self._bytes_max, self._bytes = bytes_max, 0
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._making: dict[Hashable, Future[bytes]] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], bytes]) -> bytes:
        """What `make` gave for `key`; of those who ask at once one makes it and the others wait for it."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            is_ours = key not in self._making
            made = self._making.setdefault(key, Future())
        if is_ours:
            self._make(key, make, made)
        return made.result()

    def _make(self, key: Hashable, make: Callable[[], bytes], made: Future[bytes]) -> None:
        try:
            made.set_result(make())
        except BaseException as error:
            made.set_exception(error)
        with self._lock:
            del self._making[key]
            if made.exception() is None:
                self._keep(key, made.result())

    def _keep(self, key: Hashable, made: bytes) -> None:
        self._bytes += len(made)
        self._kept[key] = made
        while self._bytes > self._bytes_max:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped)
