"""The frames of a clip in a nameless file: memory does not grow with the clip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from suffice.errors import MediaError
from suffice.media.image import Image

Strip = npt.NDArray[np.uint8]
"""uint8 ``[frames, height, width, 3]``, mapped from a file that goes with it."""


def make_strip(images: Iterable[Image], frames: int) -> Strip:
    """`images`, all of one size, up to `frames` of them; the last is repeated when they end early.

    Raises:
        MediaError: none, or of different sizes.
    """
    pixels: Strip | None = None
    count = 0
    for image, _ in zip(images, range(frames), strict=False):
        if pixels is None:
            pixels = new_strip(frames, *image.shape[:2])
        if image.shape != pixels.shape[1:]:
            raise MediaError(f"frame {count} is {image.shape[1]} x {image.shape[0]}, the first is not")
        pixels[count] = image
        count += 1
    if pixels is None:
        raise MediaError("there is no frame")
    pixels[count:] = pixels[count - 1]
    return pixels


def new_strip(frames: int, height: int, width: int) -> Strip:
    """An empty strip."""
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, np.uint8, "w+", shape=(frames, height, width, 3))
