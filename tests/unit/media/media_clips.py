"""Small clips whose every frame tells its own number."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

WIDTH, HEIGHT = 64, 48


def picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Eight stripes, bright where the binary digit of `number` is one: readable after lossy coding."""
    digits = (number >> np.arange(8)) & 1
    stripes = np.repeat(np.where(digits, 220, 30), width // 8)
    return np.repeat(np.tile(stripes.astype(np.uint8), (height, 1))[:, :, None], 3, axis=2)


def number_of(image: np.ndarray) -> int:
    """The number that :func:`picture` drew."""
    stripes = image.mean(axis=(0, 2)).reshape(8, -1).mean(axis=1)
    return int(((stripes > 125) << np.arange(8)).sum())


def write_clip(
    pts: Sequence[int],
    *,
    time_base: Fraction = Fraction(1, 1000),
    format_: str = "mp4",
    codec: str = "libx264",
    gop: int = 10,
    b_frames: int = 2,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> bytes:
    """A clip whose frame *i* shows the number *i* at ``pts[i] * time_base`` seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format=format_, options=options or {}) as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = gop, b_frames
        if codec == "libx264":
            stream.options = {"crf": "10", "x264-params": "scenecut=0:force-cfr=0:keyint_min=1"}
        if rotation:
            stream.set_display_rotation(rotation)
        for number, moment in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = moment, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def remux(clip: bytes, keep: Sequence[int], *, format_: str = "matroska", shift: int = 0) -> bytes:
    """The clip with only the packets at these places in decoding order, and its clock moved by `shift`."""
    file = io.BytesIO()
    with av.open(io.BytesIO(clip)) as source, av.open(file, "w", format=format_, options=NO_SHIFT) as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        for place, packet in enumerate(source.demux(video=0)):
            if place in keep and packet.dts is not None:
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                container.mux(packet)
    return file.getvalue()


NO_SHIFT = {"avoid_negative_ts": "disabled"}
