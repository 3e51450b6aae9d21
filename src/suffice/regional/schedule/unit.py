"""What a scheduler hands out: one step of one request, for the workers that own what runs in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Unit:
    """kind: ``warmup`` (whole, any one worker), ``whole`` or ``some``. workers: who must take part; nobody named means
    any one. together: all of them wait for each other in every layer, so they start at one time. deadline_s: of the
    request, on the scheduler's clock. left_s: the estimated work of the request from here on."""

    request: int
    step: int
    kind: str
    workers: tuple[int, ...] = ()
    together: bool = False
    deadline_s: float = float("inf")
    left_s: float = 0.0
    seconds: float = 0.0
