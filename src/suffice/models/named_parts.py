"""Exchangeable parts by name, from this package and from anyone's: ``name`` or ``name:locator``, by entry points."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from suffice.errors import UsageError, nearest


def names_of(group: str) -> list[str]:
    """What is installed under an entry point group."""
    return sorted({entry.name for entry in entry_points(group=group)})


def part_named(group: str, what: str, name: str) -> Any:
    """What the factory under `name` of an entry point `group` makes, of the locator where there is one.

    Raises:
        UsageError: nobody offers `name` (the message says `what` it would be), or it needs a locator.
    """
    kind, _, locator = name.partition(":")
    known = {entry.name: entry for entry in entry_points(group=group)}
    if kind not in known:
        hint = nearest(kind, known) or f"; there are {', '.join(sorted(known))}"
        raise UsageError(f"there is no {what} {kind!r}{hint}")
    factory: Callable[..., Any] = known[kind].load()
    return factory(locator) if locator else _without_locator(what, kind, factory)


def _without_locator(what: str, kind: str, factory: Callable[..., Any]) -> Any:
    needed = [p for p in inspect.signature(factory).parameters.values() if p.default is p.empty]
    if needed:
        raise UsageError(f"the {what} {kind!r} needs to be told which: {kind}:{needed[0].name.upper()}")
    return factory()
