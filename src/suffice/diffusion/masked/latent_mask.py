"""Masks at the size of latents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from suffice.media.mask_rle import Mask

if TYPE_CHECKING:
    import torch


def latent_mask(masks: Sequence[Mask], scale: int) -> torch.Tensor:
    """1 where any pixel of a latent is masked, else 0: float32 ``[1, 1, frames, height, width]``."""
    import torch

    pixels = torch.from_numpy(np.stack(masks)).float()[:, None]
    return torch.nn.functional.max_pool2d(pixels, scale).transpose(0, 1)[None]
