"""Long work shows where it is: a bar per model with rate and time left, on stderr, only where someone looks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Bar(Protocol):
    """A model's running count."""

    def advance(self, inputs: int) -> None: ...


class _Silent:
    def advance(self, inputs: int) -> None:
        pass


@contextmanager
def progress_bar(name: str, total: int, enabled: bool | None) -> Iterator[Bar]:
    """A bar for `total` inputs; `enabled` None shows it when stderr is a terminal."""
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
