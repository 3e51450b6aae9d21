"""Where the whole steps of a budget lie when all regions rest together."""

from __future__ import annotations

LEAN = 1.15  # above 1: nearer to each other at the start, where the noise turns most; chosen on prompts of its own


def spread(count: int, warmup_steps: int, steps: int) -> frozenset[int]:
    """`count` of `steps`: the warm-up, then ever wider apart up to the last."""
    left, span = count - warmup_steps, steps - warmup_steps
    wanted = [warmup_steps - 1 + round(span * (place / left) ** LEAN) for place in range(1, left + 1)]
    free = [max(at, warmup_steps - 1 + place) for place, at in enumerate(wanted, start=1)]
    return frozenset({*range(warmup_steps), *free})
