"""FreeInit (arXiv 2312.07537): denoise again from noise whose slow part is that of the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from suffice.errors import UsageError, nearest

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FreeInit:
    """How often to denoise, and which frequencies to keep.

    Attributes:
        iterations: passes in all; 1 is none of this.
        filter: of :data:`FILTERS`.
        stop_space: share of the highest frequency where the filter stops, in height and width.
        stop_time: the same over frames.
        order: of the Butterworth filter.
    """

    iterations: int = 3
    filter: str = "butterworth"
    stop_space: float = 0.25
    stop_time: float = 0.25
    order: int = 4

    def __post_init__(self) -> None:
        if self.filter not in FILTERS:
            raise UsageError(f"there is no FreeInit filter {self.filter!r}{nearest(self.filter, FILTERS)}")


def _butterworth(distance2: torch.Tensor, how: FreeInit) -> torch.Tensor:
    return 1 / (1 + (distance2 / how.stop_space**2) ** how.order)


def _gaussian(distance2: torch.Tensor, how: FreeInit) -> torch.Tensor:
    import torch

    return torch.exp(-distance2 / (2 * how.stop_space**2))


def _ideal(distance2: torch.Tensor, how: FreeInit) -> torch.Tensor:
    return (distance2 <= how.stop_space * 2).to(distance2.dtype)


_OF_DISTANCE: dict[str, Callable[[torch.Tensor, FreeInit], torch.Tensor]] = {
    "butterworth": _butterworth,
    "gaussian": _gaussian,
    "ideal": _ideal,
}
FILTERS = (*_OF_DISTANCE, "box")


def low_pass(shape: tuple[int, int, int], how: FreeInit) -> torch.Tensor:
    """The share of each frequency that is kept, ``[frames, height, width]``, the lowest in the middle.

    Args:
        shape: frames, height and width.
        how: which are kept.
    """
    import torch

    frames, height, width = shape
    if how.stop_space == 0 or how.stop_time == 0:
        return torch.zeros(frames, height, width)
    if how.filter == "box":
        return _box_mask(frames, height, width, how)
    times, rows, columns = (2 * torch.arange(n, dtype=torch.float64) / n - 1 for n in (frames, height, width))
    ratio = how.stop_space / how.stop_time
    distance2 = (ratio * times)[:, None, None] ** 2 + rows[:, None] ** 2 + columns**2
    return _OF_DISTANCE[how.filter](distance2, how).float()


def _box_mask(frames: int, height: int, width: int, how: FreeInit) -> torch.Tensor:
    import torch

    mask = torch.zeros(frames, height, width)
    half_space = round(int(height // 2) * how.stop_space)
    half_time = round(int(frames // 2) * how.stop_time)
    time, row, column = frames // 2, height // 2, width // 2
    mask[
        max(0, time - half_time) : time + half_time,
        max(0, row - half_space) : row + half_space,
        max(0, column - half_space) : column + half_space,
    ] = 1
    return mask


def mix_frequencies(slow: torch.Tensor, fast: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
    """What of `slow` passes `kept`, and of `fast` the rest; both ``[1, channels, frames, height, width]``."""
    import torch

    axes = (-3, -2, -1)
    kept = kept.to(slow.device)
    low = torch.fft.fftshift(torch.fft.fftn(slow.float(), dim=axes), dim=axes)
    high = torch.fft.fftshift(torch.fft.fftn(fast.float(), dim=axes), dim=axes)
    mixed = torch.fft.ifftshift(low * kept + high * (1 - kept), dim=axes)
    return torch.fft.ifftn(mixed, dim=axes).real.to(slow.dtype)
