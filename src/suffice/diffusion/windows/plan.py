"""The windows of a clip at a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from suffice.diffusion.windows.batched import batched
from suffice.diffusion.windows.looped import looped
from suffice.diffusion.windows.static import static
from suffice.diffusion.windows.uniform import uniform
from suffice.errors import UsageError, nearest

Window = tuple[int, ...]
Loop = Literal["N", "R-P", "R+P", "A"]
LOOPS: tuple[Loop, ...] = ("N", "R-P", "R+P", "A")
KINDS: dict[str, Callable[[int, int, int, int, int], list[Window]]] = {
    "uniform": uniform,
    "static": static,
    "batched": batched,
    "looped": looped,
}


@dataclass(frozen=True)
class Plan:
    """How a clip is cut into windows.

    Attributes:
        frames: of the clip.
        size: most frames a window.
        overlap: frames that neighbouring windows share.
        stride: largest exponent of distances within a window: 1 for neighbours only, 2 for every second frame too …
        kind: of :data:`KINDS`.
        loop: N no loop, windows of `kind`; else they go round the end: in A all of them share `overlap` frames, in R-P
            and R+P there are as few as without a loop. Prompts go round in R+P and A.
    """

    frames: int
    size: int = 16
    overlap: int = 4
    stride: int = 1
    kind: str = "uniform"
    loop: Loop = "N"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"there is no window schedule {self.kind!r}{nearest(self.kind, KINDS)}")
        if self.loop not in LOOPS:
            raise UsageError(f"there is no loop mode {self.loop!r}: N, R-P, R+P or A")
        for name in ("frames", "size", "stride"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.overlap < self.size:
            raise UsageError(f"an overlap of {self.overlap} does not fit a window of {self.size} frames")

    def at(self, step: int) -> list[Window]:
        """The windows of `step`: every frame in at least one, none twice in one, within a window as played."""
        if self.loop == "N":
            return KINDS[self.kind](self.frames, self.size, self.overlap, self.stride, step)
        return looped(self.frames, self.size, self.overlap, self.stride, step, few=self.loop != "A")


def travels_closed(loop: Loop) -> bool:
    """Whether the last prompt leads on to the first."""
    return loop in ("R+P", "A")
