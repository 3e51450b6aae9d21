"""How much each window counts for each of its frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from suffice.errors import UsageError, nearest

if TYPE_CHECKING:
    import torch

Window = tuple[int, ...]
_EDGE = 0.01


def flat(count: int) -> list[float]:
    """Every frame the same."""
    return [1.0] * count


def pyramid(count: int) -> list[float]:
    """Rising by one to the middle: 1 2 3 3 2 1."""
    return [float(min(place, count - 1 - place) + 1) for place in range(count)]


def relative(count: int) -> list[float]:
    """By closeness to the middle, down to almost nothing at the ends: a window hardly speaks for its borders."""
    middle = (count - 1) / 2
    return [max(_EDGE, 1 - abs(place - middle) / (middle + _EDGE)) for place in range(count)]


BLENDS: dict[str, Callable[[int], list[float]]] = {"flat": flat, "pyramid": pyramid, "relative": relative}


def shares(windows: Sequence[Window], frames: int, blend: str) -> list[torch.Tensor]:
    """A share for each frame of each window, summing to 1 a frame; exactly 1 where one window has it alone.

    Raises:
        UsageError: unknown `blend`, or windows that leave a frame out.
    """
    import torch

    if blend not in BLENDS:
        raise UsageError(f"there is no blend {blend!r}{nearest(blend, BLENDS)}")
    total = torch.zeros(frames, dtype=torch.float64)
    weights = [torch.tensor(BLENDS[blend](len(window)), dtype=torch.float64) for window in windows]
    for window, weight in zip(windows, weights, strict=True):
        total[list(window)] += weight
    if bool((total == 0).any()):
        raise UsageError(f"the windows leave out frame {int(torch.nonzero(total == 0)[0])}")
    return [weight / total[list(window)] for window, weight in zip(windows, weights, strict=True)]
