"""Repaint only what a mask allows: regions come from the mask, and everything else follows the given picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from suffice.media.image import Image
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


def read_picture_and_mask(picture: Path | None, mask: Path | None) -> tuple[Image | None, NDArray[np.bool_] | None]:
    """Pixels, and where to repaint. Raises :class:`UsageError` when one is missing or their sizes differ."""
    from suffice.media.image import decode_image

    if picture is None and mask is None:
        return None, None
    if picture is None or mask is None:
        raise UsageError("--image and --mask go together")
    pixels, allowed = decode_image(str(picture)), decode_image(str(mask))
    if pixels.shape != allowed.shape:
        sizes = " and ".join(f"{one.shape[1]}×{one.shape[0]}" for one in (pixels, allowed))
        raise UsageError(f"{picture} and {mask} are not of one size: {sizes}")
    return pixels, allowed.mean(-1) >= 128
