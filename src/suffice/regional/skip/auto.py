"""A region rests while its score is below the threshold, at most so many steps in a row."""

from __future__ import annotations

from collections.abc import Sequence

from suffice.regional.settings import SkipSettings
from suffice.regional.skip.standing import Standing, score


def auto(standings: Sequence[Standing], settings: SkipSettings, fraction: float, step: int) -> frozenset[int]:
    """The regions that run."""
    return frozenset(
        region
        for region, one in enumerate(standings)
        if one.rested_steps >= settings.rest_steps_max or score(one, settings) >= settings.threshold
    )
