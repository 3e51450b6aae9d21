"""Scenes by the thousand, as pixels in [-1, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np

from suffice.diffusion.pocket.draw import draw
from suffice.diffusion.pocket.sample import MIX, scene
from suffice.diffusion.pocket.scene import Scene


def scenes(count: int, seed: int, mix: Any = MIX) -> list[Scene]:
    """Return `count` scenes drawn by lot from the mix; the same seed gives the same scenes."""
    rng = np.random.default_rng(seed)
    return [scene(rng, mix) for _ in range(count)]


def as_pixels(drawn: list[Scene]) -> Any:
    """Return the scenes as a half-precision tensor [n, 3, 64, 64] in [-1, 1], on torch's default device."""
    import torch

    stack = np.stack([draw(one) for one in drawn])
    seen = torch.from_numpy(stack).to(torch.get_default_device())
    return seen.permute(0, 3, 1, 2).contiguous().half() / 127.5 - 1
