"""Canny's edges: thin white lines on black."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.media.image import Image

Floats = npt.NDArray[np.float32]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def canny(image: Image, low: float = 50, high: float = 100, sigma_px: float = 1.0) -> Image:
    """Edges of `image`: strong ones, and weak ones that touch them.

    Args:
        image: the picture.
        low: least change of grey level a pixel for a weak edge (Sobel's sum over 4).
        high: the same for a strong edge.
        sigma_px: of the Gaussian that smooths the picture first.

    Source: Canny, A Computational Approach to Edge Detection, 1986.
    """
    from scipy import ndimage

    grey = ndimage.gaussian_filter(image @ _LUMA, sigma_px)
    across, down = (ndimage.sobel(grey, axis) / 4 for axis in (1, 0))
    strength = np.hypot(across, down)
    thin = np.where(_is_ridge(strength, across, down), strength, 0)
    groups, count = ndimage.label(thin >= low, structure=np.ones((3, 3)))
    strong = np.zeros(count + 1, bool)
    strong[np.unique(groups[thin >= high])] = True
    strong[0] = False
    return np.repeat((strong[groups] * np.uint8(255))[:, :, None], 3, axis=2)


def _is_ridge(strength: Floats, across: Floats, down: Floats) -> npt.NDArray[np.bool_]:
    """Whether a pixel is no weaker than its two neighbours along the gradient, in the nearest of four directions."""
    direction = np.round(np.arctan2(down, across) / (np.pi / 4)).astype(int) % 4
    padded = np.pad(strength, 1)
    height, width = strength.shape
    ridge = np.zeros(strength.shape, bool)
    for number, (dy, dx) in enumerate(((0, 1), (1, 1), (1, 0), (1, -1))):
        ahead = padded[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        behind = padded[1 - dy : 1 - dy + height, 1 - dx : 1 - dx + width]
        ridge |= (direction == number) & (strength >= ahead) & (strength > behind)
    return ridge
