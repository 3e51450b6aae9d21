"""Windows that stand elsewhere at every step, so that no two frames are always torn apart; none goes round the end."""

from __future__ import annotations

from suffice.diffusion.windows.halving import halving
from suffice.diffusion.windows.static import starts


def uniform(frames: int, size: int, overlap: int, stride: int, step: int) -> list[tuple[int, ...]]:
    """Windows of neighbours, then of every 2nd, 4th … frame while such a window fits into the clip."""
    if frames <= size:
        return [tuple(range(frames))]
    hop = size - overlap
    found: list[tuple[int, ...]] = []
    for distance in (2**exponent for exponent in range(stride)):
        span = distance * (size - 1) + 1
        if span > frames:
            break
        first = round(hop * distance * halving(step)) - hop * distance
        found += [tuple(range(s, s + span, distance)) for s in starts(frames, span, hop * distance, first)]
    return found
