"""Plans of statements asked before, while the target's file stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from suffice.tables.key_scramble import KeyScramble
from suffice.tables.reader import Reader
from suffice.tables.scramble import Scramble

Plan = TypeVar("Plan")

_KNOWN: dict[tuple[str, object, str], object] = {}
_MOST = 200


def remembered_plan(reader: Reader, statement: str, plan: Callable[[], Plan], source: Callable[[Plan], object]) -> Plan:
    """``plan()``, or what it gave for this `statement` before: only over a scramble, which has no state between
    answers."""
    if reader.state is None:
        return plan()
    key = reader.database.target, reader.state, statement
    known = _KNOWN.get(key)
    if known is not None:
        if isinstance(drawn := source(known), Scramble | KeyScramble):  # type: ignore[arg-type]
            drawn.reader = reader
        return known  # type: ignore[return-value]
    made = plan()
    if isinstance(source(made), Scramble | KeyScramble):
        while len(_KNOWN) >= _MOST:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = made
    return made
