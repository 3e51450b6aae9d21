"""What is wrong with a picture as an example to learn from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from suffice.models.protocol import Image

SHARPNESS_MIN = 12.0
DARK_MAX, LIGHT_MIN = 25.0, 235.0
CONTRAST_MIN = 12.0


class Quality(NamedTuple):
    """Figures of a picture at its final size.

    Attributes:
        sharpness: variance of the Laplacian of its grey levels.
        brightness: mean grey level, 0 to 255.
        contrast: standard deviation of the grey levels.
        enlarged: how often longer its side was made; 1 or less: not at all.
    """

    sharpness: float
    brightness: float
    contrast: float
    enlarged: float

    @property
    def complaints(self) -> list[str]:
        """In words; none for a picture that is fine."""
        found = {
            "blurred": self.sharpness < SHARPNESS_MIN,
            "dark": self.brightness < DARK_MAX,
            "burnt out": self.brightness > LIGHT_MIN,
            "flat": self.contrast < CONTRAST_MIN,
            "enlarged": self.enlarged > 1.5,
        }
        return [name for name, is_so in found.items() if is_so]


def quality_of(image: Image, enlarged: float) -> Quality:
    """Figures of `image`, rounded so that they are the same on every machine."""
    grey = image.astype(np.float64) @ (0.299, 0.587, 0.114)
    laplacian = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1] - 4 * grey[1:-1, 1:-1]
    sharpness = float(laplacian.var()) if laplacian.size else 0.0
    return Quality(round(sharpness, 2), round(float(grey.mean()), 2), round(float(grey.std()), 2), round(enlarged, 3))
