"""The time embedding belongs to a picture, not to a tile: made once, repeated for the tiles where it is added."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.frame import Frame


def time_steps(module: Any, frame: Frame, layer: str, timesteps: Tensor) -> Tensor:
    """The UNet asks for one embedding a gathered tile; one a picture is enough."""
    each = 1 if frame.active is None else frame.active_count
    return type(module).forward(module, timesteps[::each])


def time_shift(module: Any, frame: Frame, layer: str, embedding: Tensor) -> Tensor:
    """A ResNet block's projection ``[b, c]``, as ``[b·active, c]``."""
    shift = type(module).forward(module, embedding)
    return shift if frame.active is None else shift.repeat_interleave(frame.active_count, 0)
