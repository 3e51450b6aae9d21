"""Segmenters and finders by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from suffice.errors import UsageError, nearest
from suffice.masks.backend import Finder, Segmenter

SEGMENTERS, FINDERS = "suffice.segmenters", "suffice.finders"
DEFAULT = "default"


def segmenter_named(name: str) -> Segmenter:
    """The segmenter ``name`` or ``name:locator``.

    There are ``default``, ``default:fast``, ``hf:FOLDER_OR_ID``, ``onnx:ENCODER,DECODER``, and those of anyone's
    package under the entry point group ``suffice.segmenters``.

    Raises:
        UsageError: nobody offers it, or the locator does not fit.
    """
    made: Segmenter = _made(SEGMENTERS, "segmenter", name)
    return made


def finder_named(name: str) -> Finder:
    """The finder ``name`` or ``name:locator``: ``default`` or ``hf:FOLDER_OR_ID``; group ``suffice.finders``."""
    made: Finder = _made(FINDERS, "finder", name)
    return made


def names_of(group: str) -> list[str]:
    """What is installed under an entry point group."""
    return sorted({entry.name for entry in entry_points(group=group)})


def _made(group: str, what: str, name: str) -> Any:
    kind, _, locator = name.partition(":")
    known = {entry.name: entry for entry in entry_points(group=group)}
    if kind not in known:
        hint = nearest(kind, known) or f"; there are {', '.join(sorted(known))}"
        raise UsageError(f"there is no {what} {kind!r}{hint}")
    factory: Callable[..., Any] = known[kind].load()
    return factory(locator) if locator else _without_locator(what, kind, factory)


def _without_locator(what: str, kind: str, factory: Callable[..., Any]) -> Any:
    import inspect

    needed = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty]
    if needed:
        raise UsageError(f"the {what} {kind!r} needs to be told which model: {kind}:{needed[0].name.upper()}")
    return factory()
