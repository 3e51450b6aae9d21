"""What a pass through the network costs, counted by PyTorch's own counter on a pass that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class FlopMeter:
    """Counts the first pass of every number of active tiles (the work depends on nothing else) and remembers it."""

    def __init__(self) -> None:
        self.of_active: dict[tuple[int, int, bool], int] = {}
        self.executed = 0

    def run(self, tiles: int, active: int, recording: bool, work: Callable[[], Any]) -> Any:
        """Do `work`, a pass of `active` of `tiles` tiles."""
        key = (tiles, active, recording)
        if key in self.of_active:
            answer = work()
        else:
            self.of_active[key], answer = counted(work)
        self.executed += self.of_active[key]
        return answer

    def dense(self, tiles: int) -> int:
        """What a whole pass without anything recorded costs; 0 before there was one."""
        return self.of_active.get((tiles, tiles, False), 0)


def counted(work: Callable[[], Any]) -> tuple[int, Any]:
    """Floating-point operations of `work`, and what it returns."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        answer = work()
    return counter.get_total_flops(), answer
