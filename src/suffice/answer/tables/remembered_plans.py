"""Plans of statements asked before, while the target's file stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from suffice.tables.key_scramble import KeyScramble
from suffice.tables.reader import Reader
from suffice.tables.scramble import Scramble

if TYPE_CHECKING:
    from suffice.answer.tables.quantile_looks import QuantilePlan
    from suffice.answer.tables.sampling_plan import SamplingPlan
    from suffice.tables.source import Source

    Plan = SamplingPlan | QuantilePlan

_KNOWN: dict[tuple[str, object, str], Plan] = {}
_MOST = 200


def remembered_plan(reader: Reader, statement: str, plan: Callable[[], Plan]) -> Plan:
    """``plan()``, or what it gave for this `statement` before, over a scramble."""
    if reader.state is None:
        return plan()
    key = reader.database.target, reader.state, statement
    known = _KNOWN.get(key)
    if known is None:
        known = plan()
        if not isinstance(known.source, Scramble | KeyScramble):
            return known
        while len(_KNOWN) >= _MOST:
            _KNOWN.pop(next(iter(_KNOWN)))
        _KNOWN[key] = known
    return replace(known, drawing=replace(known.drawing, source=_own(known.source, reader)))


def _own(source: Source, reader: Reader) -> Source:
    """The source for one answer: two that shared a run would each miss rows, or see some twice."""
    assert isinstance(source, Scramble | KeyScramble)
    return replace(source, reader=reader)
