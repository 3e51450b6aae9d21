"""Motion as colour: hue for its direction, brightness for its speed."""

from __future__ import annotations

import numpy as np

from suffice.diffusion.flow import optical_flow
from suffice.media.image import Image


def flow(image: Image, before: Image) -> Image:
    """How `image` moved since `before`; the fastest pixel is fully bright, unless nothing moved by half a pixel."""
    import PIL.Image

    motion = optical_flow(before, image)
    speed = np.hypot(motion[..., 0], motion[..., 1])
    hue = (np.arctan2(motion[..., 1], motion[..., 0]) / (2 * np.pi) % 1 * 255).astype(np.uint8)
    value = (speed / max(float(speed.max()), 0.5) * 255).astype(np.uint8)
    return np.asarray(PIL.Image.fromarray(np.dstack([hue, np.full_like(hue, 255), value]), "HSV").convert("RGB"))
