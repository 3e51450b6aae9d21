"""Where the end of a closed clip meets its beginning: no more of a step than half of the others are.

Frames are compared as pictures, mean grey levels apart; the clip is decoded once more for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from suffice.media.image import Image

Decode = Callable[["torch.Tensor"], Iterator["Image"]]
_SHARES = (0.8, 0.6, 0.4, 0.2, 0.0)


def begun_at_rest(latents: torch.Tensor, decode: Decode) -> torch.Tensor:
    """The same round of frames, beginning where a frame differs least from the one before.

    For clips in which nothing is tied to a frame: a circle has no beginning.
    """
    return latents.roll(-int(np.argmin(_differences(decode(latents)))), 2)


def drawn_together(latents: torch.Tensor, decode: Decode) -> torch.Tensor:
    """The last frame and the first moved towards each other until they differ as half of the neighbours do at most.

    For clips whose frames have their places. Most have such a seam already, and stay as they are.
    """
    apart, closed = _differences(decode(latents)), latents
    for share in _SHARES:
        if apart[0] <= median(apart[1:]):
            break
        closed = _nearer(latents, share)
        first, second, before, last = (_levels(frame) for frame in decode(closed[:, :, [0, 1, -2, -1]]))
        apart[0], apart[1], apart[-1] = _apart(last, first), _apart(first, second), _apart(before, last)
    return closed


def _nearer(latents: torch.Tensor, share: float) -> torch.Tensor:
    """The last frame and the first with `share` of what lies between them."""
    closed = latents.clone()
    first, last = latents[:, :, 0], latents[:, :, -1]
    middle = (first + last) / 2
    closed[:, :, 0], closed[:, :, -1] = (middle + share * (frame - middle) for frame in (first, last))
    return closed


def _differences(frames: Iterable[Image]) -> list[float]:
    """Of each frame to the one before; of the first to the last."""
    seen = map(_levels, frames)
    first = before = next(seen)
    found = [0.0]
    for frame in seen:
        found.append(_apart(before, frame))
        before = frame
    found[0] = _apart(before, first)
    return found


def _levels(frame: Image) -> np.ndarray:
    return frame.astype(np.float32)


def _apart(one: np.ndarray, two: np.ndarray) -> float:
    return float(np.abs(one - two).mean())
