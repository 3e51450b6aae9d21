from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

import av
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from suffice.assets import asset_path


@pytest.fixture(scope="session")
def pictures() -> Mapping[str, np.ndarray]:
    """Photographs that ship with scikit-image, as uint8 ``[h, w, 3]``."""
    names = ("astronaut", "camera", "chelsea", "coffee", "page", "rocket")
    made = {name: np.asarray(getattr(data, name)()) for name in names}
    return {name: np.ascontiguousarray(np.dstack([p] * 3)[..., :3]) if p.ndim == 2 else p for name, p in made.items()}


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """Every tenth of the first 60 frames of the packaged clip."""
    with av.open(str(asset_path("pedestrians.mp4"))) as clip:
        return [frame.to_ndarray(format="rgb24") for frame in islice(clip.decode(video=0), 0, 60, 10)]


@pytest.fixture(scope="session")
def letter() -> np.ndarray:
    """A rendered page: a title, two paragraphs, a figure."""
    sheet = Image.new("RGB", (900, 1200), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((250, 50), "Annual report 2031", fill="black", font=ImageFont.load_default(44))
    for top in (150, 820):
        for line in range(8):
            text = f"Line {line}: the invoice number {4711 + line} was paid in full and on time."
            pen.text((70, top + line * 36), text, fill="black", font=ImageFont.load_default(24))
    sheet.paste(Image.fromarray(data.coffee()).resize((500, 330)), (200, 460))
    return np.asarray(sheet)
