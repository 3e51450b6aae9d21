"""What a pass through the network costs, counted by PyTorch's own counter on a pass that runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from suffice.regional.tiles import TileGrid


class Pass(NamedTuple):
    """What the work of a pass depends on. batch: pictures, both sides of the guidance. recording: of attention."""

    grid: TileGrid
    batch: int
    active: int
    recording: bool = False


class FlopMeter:
    """Counts the first pass of every kind and remembers it."""

    def __init__(self) -> None:
        self.of_pass: dict[Pass, int] = {}
        self.executed = 0

    def run(self, kind: Pass, work: Callable[[], Any]) -> Any:
        """Do `work`, a pass of this kind."""
        if kind in self.of_pass:
            answer = work()
        else:
            self.of_pass[kind], answer = counted(work)
        self.executed += self.of_pass[kind]
        return answer

    def dense(self, grid: TileGrid, batch: int) -> int:
        """What a whole pass without anything recorded costs; 0 before there was one."""
        return self.of_pass.get(Pass(grid, batch, grid.count), 0)


def counted(work: Callable[[], Any]) -> tuple[int, Any]:
    """Floating-point operations of `work`, and what it returns."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        answer = work()
    return counter.get_total_flops(), answer
