"""Loaded weights that several models of one process use."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import TypeVar
from weakref import WeakValueDictionary

Value = TypeVar("Value")

_LOCK = Lock()
_KEPT: WeakValueDictionary[Hashable, object] = WeakValueDictionary()


def shared(key: Hashable, make: Callable[[], Value]) -> Value:
    """What is kept under `key`, or else `make()`; kept for as long as any model holds it.

    The key names the content (a version), not only the place, so that a replaced file is loaded anew.
    """
    with _LOCK:
        value = _KEPT.get(key)
        if value is None:
            value = _KEPT[key] = make()
        return value  # type: ignore[return-value]
