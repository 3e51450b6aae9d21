"""Every kind of picture file that is promised can be opened, the ones last in the list too."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from suffice.media.image import FORMATS, decode_image


@pytest.mark.parametrize("name", ["AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TGA", "TIFF", "WEBP"])
def test_format_opens(name: str) -> None:
    picture = PIL.Image.new("RGB", (24, 16), (200, 40, 40))
    file = io.BytesIO()
    picture.save(file, name)
    decoded = decode_image(file)
    assert decoded.shape == (16, 24, 3)
    assert np.abs(decoded.astype(int) - (200, 40, 40)).max() < 30


def test_every_promised_format_is_one_pillow_can_open() -> None:
    PIL.Image.init()
    assert [name for name in FORMATS if name not in PIL.Image.OPEN] == []
