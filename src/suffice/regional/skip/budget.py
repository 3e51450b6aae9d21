"""The regions of highest score, up to a given part of all tiles."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.regional.settings import SkipSettings
from suffice.regional.skip.standing import Standing, score


def budget(standings: Sequence[Standing], settings: SkipSettings, fraction: float, step: int) -> frozenset[int]:
    """The regions that run: about `fraction` of the tiles; who rested for as long as allowed goes first.

    A small budget stretches what is allowed: were it ``1 / fraction`` steps, all would only take turns.
    """
    longest = max(settings.rest_steps_max, 2 / max(fraction, 0.05))
    order = sorted(
        range(len(standings)),
        key=lambda r: (standings[r].rested_steps < longest, -score(standings[r], settings), r),
    )
    return fill_up(order, standings, fraction)


def fill_up(order: Sequence[int], standings: Sequence[Standing], fraction: float) -> frozenset[int]:
    """Regions in `order` while each brings the number of tiles nearer to the goal."""
    goal, taken, chosen = fraction * sum(one.tiles for one in standings), 0, set()
    for region in order:
        tiles = standings[region].tiles
        if abs(taken + tiles - goal) <= abs(taken - goal):
            chosen.add(region)
            taken += tiles
    return frozenset(chosen)
