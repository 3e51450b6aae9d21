"""Means that a minority of hostile clients cannot move far. They need every update, so they do not fold in a tree."""

from __future__ import annotations

from collections.abc import Callable

from suffice.errors import UsageError, nearest
from suffice.federated.aggregate.robust.krum import krum
from suffice.federated.aggregate.robust.median import median
from suffice.federated.aggregate.robust.trimmed_mean import trimmed_mean
from suffice.federated.arrays import Floats, Floats32

Rule = Callable[[Floats32, int], Floats]
RULES: dict[str, Rule] = {"median": median, "trimmed_mean": trimmed_mean, "krum": krum}

__all__ = ["RULES", "Rule", "krum", "make_rule", "median", "trimmed_mean"]


def make_rule(name: str) -> Rule:
    """The rule called `name`; raises :class:`UsageError` with the nearest known name."""
    if name not in RULES:
        raise UsageError(f"robust rule {name!r} is not known{nearest(name, RULES)}: {', '.join(RULES)}")
    return RULES[name]
