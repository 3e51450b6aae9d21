"""What is known of each region when a step is decided."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.regional.settings import SkipSettings


@dataclass
class Standing:
    """attention: share against an even spread (mean 1). change: |new - before| / |before| of its predicted noise when
    it last ran, a step (see ``change_from`` of the settings). rested_steps: steps it did not run in a row. tiles: its
    size."""

    attention: float
    tiles: int
    change: float = 1.0
    rested_steps: int = 0


def score(standing: Standing, settings: SkipSettings) -> float:
    """``attention^a · change^b · (1 + starvation · rested)``: the higher, the sooner it runs. Resting raises it."""
    wanted = max(standing.attention, 1e-6) ** settings.attention_power * standing.change**settings.change_power
    return float(wanted * (1 + settings.starvation * standing.rested_steps))
