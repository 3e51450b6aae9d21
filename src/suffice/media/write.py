"""Pictures and videos out: for reports, requests over HTTP, and people."""

from __future__ import annotations

import io
import os
import zlib
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from suffice.errors import MediaError
from suffice.media.image import Image

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont
    from PIL.ImageFont import ImageFont as BitmapFont

_COLOURS = (
    "#e6194b",
    "#3cb44b",
    "#4363d8",
    "#f58231",
    "#911eb4",
    "#008080",
    "#9a6324",
    "#800000",
    "#000075",
    "#808000",
)
_SMALLEST_FONT_PX = 12
_FONT_SHARE = 45  # of the picture's longer side


def encode_jpeg(image: Image, quality: int = 85) -> bytes:
    """`image` as the bytes of a JPEG file."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "JPEG", quality=quality)
    return file.getvalue()


def thumbnail(image: Image, max_side_px: int) -> Image:
    """`image` made smaller, its longer side `max_side_px`; as it is when it is that small already."""
    import PIL.Image

    picture = PIL.Image.fromarray(image)
    picture.thumbnail((max_side_px, max_side_px), PIL.Image.Resampling.LANCZOS)
    return np.array(picture)


def draw_boxes(image: Image, boxes_xyxy: Sequence[Sequence[float]], labels: Sequence[str] | None = None) -> Image:
    """A copy of `image` with each box drawn in, its label above it on a plate of its colour; a label has one colour."""
    import PIL.Image
    from PIL import ImageDraw, ImageFont

    picture = PIL.Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font_px = max(_SMALLEST_FONT_PX, max(picture.size) // _FONT_SHARE)
    font = ImageFont.load_default(font_px)
    for box, label in zip(boxes_xyxy, labels or [""] * len(boxes_xyxy), strict=True):
        colour = _COLOURS[zlib.crc32(label.split(" ")[0].encode()) % len(_COLOURS)]
        x0, y0, x1, y1 = map(float, box)
        draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=max(2, font_px // 6))
        if label:
            _write_label(draw, label, (x0, y0), font, colour)
    return np.array(picture)


def _write_label(
    draw: ImageDraw, label: str, corner: tuple[float, float], font: FreeTypeFont | BitmapFont, colour: str
) -> None:
    """Above the corner, moved as far as needed to stay inside the picture."""
    left, top, right, bottom = draw.textbbox((0, 0), label, font=font)
    width, height = right - left + 6, bottom - top + 6
    picture_width, _ = draw.im.size
    x = max(0, min(corner[0], picture_width - width))
    y = max(0, corner[1] - height)
    draw.rectangle((x, y, x + width, y + height), fill=colour)
    draw.text((x + 3 - left, y + 3 - top), label, fill="white", font=font)


def write_video(path: str | os.PathLike[str], frames: Iterable[Image], fps: float) -> int:
    """Write frames of one size as an H.264 MP4 that players and browsers show; returns how many there were.

    An odd width or height gets one more column or row, for the format has half as many colour samples. The file
    appears under its name only when it is complete.

    Raises:
        MediaError: no frames, or frames of different sizes.
    """
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise MediaError(f"no frames to write to {os.fspath(path)!r}")
    partial = f"{os.fspath(path)}.part"
    try:
        count = _encode(partial, first, remaining, fps)
        os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return count


def _encode(path: str, first: Image, remaining: Iterable[Image], fps: float) -> int:
    import av

    with av.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps).limit_denominator(1001), options={"crf": "20"})
        stream.height, stream.width = (side + side % 2 for side in first.shape[:2])
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(chain([first], remaining)):
            if frame.shape != first.shape:
                raise MediaError(f"frame {number} is {frame.shape[1]} x {frame.shape[0]}, the first is not")
            picture = av.VideoFrame.from_ndarray(_even(frame), format="rgb24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return number + 1


def _even(frame: Image) -> Image:
    height, width = frame.shape[:2]
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))
