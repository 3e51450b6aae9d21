"""A small clip in which frame *i* shows *i* as bright and dark stripes, and models that read it."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

SIZE = 240


def write_striped_clip(path: Path) -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"crf": "10"}
        for number in range(SIZE):
            stripes = np.repeat(np.where((number >> np.arange(8)) & 1, 220, 30), 8).astype(np.uint8)
            picture = np.repeat(np.tile(stripes, (48, 1))[:, :, None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    path.write_bytes(file.getvalue())


def number_shown(image: np.ndarray) -> int:
    stripes = image.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return int(((stripes > 125) << np.arange(8)).sum())
