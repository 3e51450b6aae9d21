"""What a clip looks like so far, now and then, while its steps are taken."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from suffice.diffusion.vae import decode_latents

if TYPE_CHECKING:
    import torch

    from suffice.media.image import Image

SHARE_MAX = 0.1
INTERVAL_S = 1.0


class Previews:
    """An :data:`~suffice.diffusion.denoise.OnStep` that shows the middle frame, noisy at first.

    Args:
        vae: decodes it.
        show: what to do with it.
        interval_s: least time between two; it grows so that decoding takes at most :data:`SHARE_MAX` of the time.
    """

    def __init__(self, vae: Any, show: Callable[[Image], None], interval_s: float = INTERVAL_S) -> None:
        self._vae, self._show, self._interval_s = vae, show, interval_s
        self._next_s = 0.0

    def __call__(self, done: int, of: int, latents: torch.Tensor) -> None:
        started = time.monotonic()
        if started < self._next_s:
            return
        middle = latents.shape[2] // 2
        (frame,) = decode_latents(self._vae, latents[:, :, middle : middle + 1])
        self._show(frame)
        ended = time.monotonic()
        self._next_s = ended + max(self._interval_s, (ended - started) / SHARE_MAX)
