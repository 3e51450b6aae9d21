"""Any regions, as many as the budget allows: what a rule must beat."""

from __future__ import annotations

import random as dice
from collections.abc import Sequence

from suffice.regional.settings import SkipSettings
from suffice.regional.skip.budget import fill_up
from suffice.regional.skip.standing import Standing


def random(standings: Sequence[Standing], settings: SkipSettings, fraction: float, step: int) -> frozenset[int]:
    """The regions that run, drawn anew each step."""
    order = list(range(len(standings)))
    dice.Random(f"{settings.seed} {step}").shuffle(order)
    return fill_up(order, standings, fraction)
