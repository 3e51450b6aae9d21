"""What tests of the server send."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def png(width: int = 8, height: int = 8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()
