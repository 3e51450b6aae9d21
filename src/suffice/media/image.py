"""Picture files: their size without their pixels, and their pixels as everything else here wants them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from suffice.errors import MediaError, SufficeError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

Image = npt.NDArray[np.uint8]
"""Pixels, uint8 ``[height, width, 3]``, RGB."""

PIXELS_MAX = 89_478_485
"""Pictures with more pixels are refused: a small file can claim to be any size."""

# No format that runs a program or reads another file to be decoded (EPS calls Ghostscript). JPEG brings MPO along.
FORMATS = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_ORIENTATION_TAG = 0x0112
_TURNS_SIDEWAYS = range(5, 9)


def read_image_size(file: str | BinaryIO) -> tuple[int, int]:
    """Width and height as shown (EXIF orientation applied), from the header alone."""
    with open_picture(file) as picture:
        width, height = picture.size
        return (height, width) if picture.getexif().get(_ORIENTATION_TAG) in _TURNS_SIDEWAYS else (width, height)


def decode_image(file: str | BinaryIO) -> Image:
    """Decode a picture: upright by EXIF, first frame if animated, transparency over white, any mode to 8-bit RGB.

    Raises:
        MediaError: not a picture of a known format, damaged, truncated, or above :data:`PIXELS_MAX`.
    """
    from PIL import ImageOps

    with open_picture(file) as picture:
        return to_rgb(ImageOps.exif_transpose(picture))


@contextmanager
def open_picture(file: str | BinaryIO) -> Iterator[PillowImage]:
    """A Pillow image, not yet decoded; whatever goes wrong with it inside the block is a :class:`MediaError`."""
    import PIL.Image

    from suffice.media.scan import name_of, open_file

    source = open_file(file) if isinstance(file, str) else file
    try:
        source.seek(0)
        with PIL.Image.open(source, formats=FORMATS) as picture:
            if picture.width * picture.height > PIXELS_MAX:
                raise MediaError(f"{name_of(file)} claims {picture.width} x {picture.height} pixels, above the limit")
            yield picture
    except PIL.UnidentifiedImageError as error:
        raise MediaError(f"{name_of(file)} is not a picture of a known format") from error
    except SufficeError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever bad bytes make them trip over
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MediaError(f"{name_of(file)} cannot be read as a picture: {reason}") from error
    finally:
        if isinstance(file, str):
            source.close()


def to_rgb(picture: PillowImage) -> Image:
    """Any Pillow image as RGB; levels of 16 bits are scaled down, not cut off."""
    if picture.mode == "F" or picture.mode.startswith("I"):
        return _grey_to_rgb(np.asarray(picture))
    if picture.has_transparency_data:
        return _over_white(picture.convert("RGBA"))
    return np.array(picture.convert("RGB"))


def _grey_to_rgb(levels: npt.NDArray[Any]) -> Image:
    """Integers are 16-bit levels; floats run to 1, or to 255 when any is above 1."""
    highest = 65535 if levels.dtype.kind != "f" else 255 if levels.max(initial=0) > 1 else 1
    grey = np.clip(levels / highest, 0, 1) * 255
    return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)


def _over_white(picture: PillowImage) -> Image:
    import PIL.Image

    white = PIL.Image.new("RGBA", picture.size, "white")
    return np.array(PIL.Image.alpha_composite(white, picture).convert("RGB"))
