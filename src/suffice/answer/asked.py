"""What a statement with a target asks, and of which units."""

from __future__ import annotations

from suffice.answer.base_units import with_numbered_tables
from suffice.answer.engine import Engine
from suffice.answer.pair_units import with_pairs
from suffice.sql.plan import Bound
from suffice.sql.target import Target

CONFIDENCE = 0.95
"""What a target promises when no CONFIDENCE is given."""


def asked_of(target: Target) -> dict[str, float]:
    """What was asked, for the guarantee."""
    names = ("error_relative_max", "recall_min", "precision_min", "budget_calls", "budget_s")
    return {name: getattr(target, name) for name in names if getattr(target, name) is not None}


def with_units(engine: Engine, bound: Bound) -> Bound:
    """The statement over relations whose rows are numbered: media as they are, tables of the user, pairs."""
    return with_numbered_tables(engine, with_pairs(engine, bound))
