"""Colours as the eye tells them apart."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.models.protocol import Image

_RGB_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]], np.float32)
_WHITE_D65 = np.array([0.9505, 1.0, 1.089], np.float32)


def to_lab(image: Image) -> npt.NDArray[np.float32]:
    """CIE L*a*b* of sRGB pixels, float32 ``[height, width, 3]``."""
    linear = _LINEAR[image]
    ratio = linear @ _RGB_TO_XYZ.T / _WHITE_D65
    bent = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    x, y, z = bent[..., 0], bent[..., 1], bent[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def _linear() -> npt.NDArray[np.float32]:
    level = np.arange(256) / 255
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92).astype(np.float32)


_LINEAR = _linear()
