"""Soft edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.media.mask_rle import Mask

Alpha = npt.NDArray[np.uint8]
"""Opacity, uint8 ``[height, width]``, 255 opaque."""


def feather(mask: Mask, radius_px: float) -> Alpha:
    """`mask` as opacity whose edge fades over `radius_px` to either side; nothing further away changes.

    Two box filters of half that radius: a smooth ramp that ends, unlike a Gaussian's.
    """
    import PIL.Image
    from PIL import ImageFilter

    picture = PIL.Image.fromarray(mask.astype(np.uint8) * 255)
    if radius_px > 0:
        # A box of radius b reaches b pixels, its fractional end one more.
        blur = ImageFilter.BoxBlur(radius_px / 2)
        picture = picture.filter(blur).filter(blur)
    return np.array(picture)
