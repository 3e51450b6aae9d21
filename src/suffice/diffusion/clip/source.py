"""Frames by number, from a video, a folder of pictures, an animated picture, or a still that lasts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from suffice.errors import MediaError, nearest
from suffice.media.image import Image, decode_image

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif")


@dataclass(frozen=True)
class Source:
    """Frames that can be read in rising order.

    Attributes:
        where: its name for messages.
        count: of frames; None for a still, which is every frame.
        fps: of a video, else None.
        read: yields the pictures of rising numbers below `count`.
    """

    where: str
    count: int | None
    fps: float | None
    read: Callable[[Sequence[int]], Iterator[Image]]

    def one(self, number: int) -> Image:
        """A single frame."""
        return next(iter(self.read([number])))


def open_source(where: str) -> Source:
    """The frames of the file or folder `where`.

    Raises:
        MediaError: there is none, or it holds no picture.
    """
    path = Path(where).expanduser()
    if path.is_dir():
        return _folder(where, path)
    if not path.is_file():
        siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        raise MediaError(f"there is no {where!r}{nearest(path.name, siblings)}")
    return _file(where, path)


def _file(where: str, path: Path) -> Source:
    from suffice.media.sniff import HEAD_BYTES, KINDS, sniff

    with path.open("rb") as file:
        name = sniff(file.read(HEAD_BYTES))
    kinds = KINDS.get(name or "", ())
    if "video" in kinds:
        return _video(where, path)
    if "image" not in kinds:
        raise MediaError(f"{where!r} is neither a video nor a picture")
    count = _frames_of_picture(path)
    if count > 1:
        return Source(where, count, None, lambda numbers: _animated(path, numbers))
    return still(decode_image(str(path)), where)


def still(image: Image, where: str = "the picture") -> Source:
    """A picture that every frame is."""
    return Source(where, None, None, lambda numbers: (image for _ in numbers))


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A sorting key in which ``2.png`` comes before ``10.png``."""
    return [(False, int(part), "") if part.isdigit() else (True, 0, part) for part in re.split(r"(\d+)", name) if part]


def _folder(where: str, path: Path) -> Source:
    pictures = sorted((p for p in path.iterdir() if p.suffix.lower() in PICTURES), key=lambda p: natural(p.name))
    if not pictures:
        raise MediaError(f"the folder {where!r} has no picture")
    return Source(where, len(pictures), None, lambda numbers: (decode_image(str(pictures[n])) for n in numbers))


def _video(where: str, path: Path) -> Source:
    from suffice.media.decode_frames import decode_frames
    from suffice.media.index_video import index_video

    index = index_video(str(path))

    def read(numbers: Sequence[int]) -> Iterator[Image]:
        distinct = sorted(set(numbers))
        for _, picture in decode_frames(str(path), distinct, index):
            if isinstance(picture, MediaError):
                raise picture
            yield picture

    return Source(where, len(index), len(index) / index.duration_s if index.duration_s else None, read)


def _frames_of_picture(path: Path) -> int:
    from suffice.media.image import open_picture

    with open_picture(str(path)) as picture:
        return int(getattr(picture, "n_frames", 1))


def _animated(path: Path, numbers: Sequence[int]) -> Iterator[Image]:
    from suffice.media.image import open_picture, to_rgb

    with open_picture(str(path)) as picture:
        for number in numbers:
            picture.seek(number)
            yield to_rgb(picture)


def resized(image: Image, width: int, height: int) -> Image:
    """`image` at that size, cut in the middle to its proportions first."""
    import PIL.Image
    from PIL import ImageOps

    if image.shape[:2] == (height, width):
        return image
    fitted = ImageOps.fit(PIL.Image.fromarray(image), (width, height), PIL.Image.Resampling.LANCZOS)
    return np.asarray(fitted)
