"""Folders from which a request may have code run and weights read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path

from suffice.errors import UsageError

_ROOTS: ContextVar[tuple[Path, ...] | None] = ContextVar("suffice_roots", default=None)


@contextlib.contextmanager
def allowed_roots(folders: Sequence[str | Path]) -> Iterator[None]:
    """Within the block, runners may take code from these folders only; outside any block, from the working folder."""
    token = _ROOTS.set(tuple(Path(folder).expanduser().resolve() for folder in folders))
    try:
        yield
    finally:
        _ROOTS.reset(token)


def chosen_roots() -> tuple[Path, ...] | None:
    """The folders of the block around; None outside any."""
    return _ROOTS.get()


def current_roots() -> tuple[Path, ...]:
    """The folders allowed now."""
    roots = _ROOTS.get()
    return (Path.cwd().resolve(),) if roots is None else roots


def check_readable(where: str, path: Path) -> None:
    """As :func:`check_inside_roots` for weights and other data, which may lie anywhere outside any block."""
    if _ROOTS.get() is not None:
        check_inside_roots(where, path)


def check_inside_roots(where: str, path: Path) -> None:
    """Raises :class:`UsageError` when `path`, symbolic links resolved, is outside the folders allowed now."""
    roots = current_roots()
    if not any(path.resolve().is_relative_to(root) for root in roots):
        allowed = ", ".join(map(str, roots)) or "none"
        raise UsageError(f"{where}: {path} is outside the roots that models may come from ({allowed})")
