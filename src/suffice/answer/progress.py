"""Long work shows where it is: a bar per model with rate and time left, on stderr, only where someone looks."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

Listener = Callable[[str, int, int], None]
"""Told (model, inputs done, inputs in all) after every batch; what it raises stops the statement."""

_LISTENER: ContextVar[Listener | None] = ContextVar("suffice_progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Within the block, statements of this thread tell `listener` how far they are."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


class Bar(Protocol):
    """A model's running count."""

    def advance(self, inputs: int) -> None: ...


class _Silent:
    def advance(self, inputs: int) -> None:
        pass


class _Told:
    """Tells a listener, and hands on to the bar people see."""

    def __init__(self, listener: Listener, name: str, total: int, shown: Bar) -> None:
        self._listener, self._name, self._total, self._shown = listener, name, total, shown
        self._done = 0
        listener(name, 0, total)

    def advance(self, inputs: int) -> None:
        self._done += inputs
        self._shown.advance(inputs)
        self._listener(self._name, self._done, self._total)


@contextmanager
def progress_bar(name: str, total: int, enabled: bool | None) -> Iterator[Bar]:
    """A bar for `total` inputs; `enabled` None shows it when stderr is a terminal."""
    listener = _LISTENER.get()
    with _shown_bar(name, total, enabled) as bar:
        yield bar if listener is None else _Told(listener, name, total, bar)


@contextmanager
def _shown_bar(name: str, total: int, enabled: bool | None) -> Iterator[Bar]:
    if not (sys.stderr.isatty() if enabled is None else enabled):
        yield _Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as progress:
        task = progress.add_task(name, total=total, rate="")

        class _Shown:
            def advance(self, inputs: int) -> None:
                progress.advance(task, inputs)
                speed = progress.tasks[0].speed
                progress.update(task, rate=f"{speed:.1f}/s" if speed else "")

        yield _Shown()
