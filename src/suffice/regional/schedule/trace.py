"""Requests to schedule, known beforehand: when each arrives, and what each worker runs of it in each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TraceRequest:
    """arrival_s; deadline_s (absolute); shares: of each step and worker the tiles that run, as a fraction of the whole
    picture; warmup_steps: first steps, which run whole on one worker; whole: steps that all workers run together."""

    arrival_s: float
    shares: Sequence[Sequence[float]]
    warmup_steps: int
    whole: frozenset[int]
    deadline_s: float = float("inf")

    @property
    def steps(self) -> int:
        return len(self.shares)


def strips(trace: Sequence[TraceRequest]) -> list[TraceRequest]:
    """The same requests as DistriFusion's static strips run them: every worker runs its equal part of every step."""
    out = []
    for one in trace:
        workers = len(one.shares[0])
        shares = [[1 / workers] * workers for _ in range(one.steps)]
        out.append(TraceRequest(one.arrival_s, shares, 0, frozenset(range(one.steps)), one.deadline_s))
    return out


def synthetic_trace(
    requests: int,
    workers: int,
    *,
    active_fraction: float,
    every_s: float,
    steps: int = 20,
    warmup_steps: int = 4,
    reset_every: int = 10,
    seed: int = 0,
) -> list[TraceRequest]:
    """Requests that arrive on average every `every_s` (exponential gaps; 0: all at once), each cut over `workers` in
    equal parts of which a random `active_fraction` runs between whole steps."""
    import numpy as np

    dice, now, out = np.random.default_rng(seed), 0.0, []
    whole = frozenset({warmup_steps, steps - 1, *range(warmup_steps + reset_every, steps, reset_every)})
    for _ in range(requests):
        runs = dice.random((steps, workers)) < active_fraction
        shares = [
            [1 / workers if step in whole or step < warmup_steps or runs[step, w] else 0.0 for w in range(workers)]
            for step in range(steps)
        ]
        out.append(TraceRequest(now, shares, warmup_steps, whole))
        now += float(dice.exponential(every_s)) if every_s else 0.0
    return out
