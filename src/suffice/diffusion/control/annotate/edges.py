"""Soft edges: how much the picture changes at each pixel, the strongest change white."""

from __future__ import annotations

import numpy as np

from suffice.media.image import Image


def edges(image: Image, sigma_px: float = 1.0) -> Image:
    """The largest gradient over the three colours, in grey levels from black to the picture's strongest edge."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(image.astype(np.float32), (sigma_px, sigma_px, 0))
    strength = np.hypot(ndimage.sobel(smooth, 0), ndimage.sobel(smooth, 1)).max(axis=2)
    grey = (strength / max(float(strength.max()), 1e-6) * 255).round().astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
