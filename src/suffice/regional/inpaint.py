"""Repaint only what a mask allows: regions come from the mask, and everything else follows the given picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from suffice.regional.tiles import TileGrid


@dataclass(frozen=True)
class KeptOutside:
    """picture: latents ``[1, c, h, w]``; noise: of their shape; mask: ``[1, 1, h, w]``, 1 where to repaint."""

    picture: Tensor
    noise: Tensor
    mask: Tensor

    def put_back(self, latents: Tensor, scheduler: Any, time: Tensor) -> Tensor:
        """Latents with the part outside as the picture has it, with the noise of `time` (none after the last step)."""
        outside = scheduler.add_noise(self.picture, self.noise, time) if len(time) else self.picture
        return latents * self.mask + outside * (1 - self.mask)

    def tiles(self, grid: TileGrid) -> list[int]:
        """The tiles that the mask touches. Raises :class:`UsageError` when it touches none."""
        touched = grid.cut(self.mask).amax((0, 2, 3, 4)).nonzero().flatten().tolist()
        if not touched:
            raise UsageError("the mask allows nothing to be repainted")
        return list(touched)
