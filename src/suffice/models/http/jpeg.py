"""Pictures as providers take them."""

from __future__ import annotations

import base64
import io
from typing import Any, NamedTuple

import numpy as np

from suffice.errors import ModelError
from suffice.models.protocol import Image

QUALITY = 92


class Jpeg(NamedTuple):
    """An encoded picture; a pixel of it is `scale` pixels of the original, which measured `width_px` × `height_px`."""

    data: bytes
    width_px: int
    height_px: int
    scale: float

    @property
    def base64(self) -> str:
        """The bytes as text."""
        return base64.b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """The picture as a ``data:`` address."""
        return f"data:image/jpeg;base64,{self.base64}"


def encode_jpeg(image: Image, max_side_px: int | None = None) -> Jpeg:
    """Encode uint8 RGB ``[height, width, 3]``, shrunk until no side is longer than `max_side_px`."""
    from PIL import Image as Pil

    check_image(image)
    picture = Pil.fromarray(np.ascontiguousarray(image))
    width, height = picture.size
    scale = max(1.0, max(width, height) / (max_side_px or max(width, height)))
    if scale > 1.0:
        picture = picture.resize((max(1, round(width / scale)), max(1, round(height / scale))), Pil.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return Jpeg(out.getvalue(), width, height, scale)


def check_image(image: Any) -> None:
    """Raise :class:`ModelError` when `image` is not uint8 RGB pixels."""
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or not image.size
    ):
        shape = getattr(image, "shape", "")
        raise ModelError(f"expected a picture, uint8 [height, width, 3], got {type(image).__name__} {shape}".rstrip())
