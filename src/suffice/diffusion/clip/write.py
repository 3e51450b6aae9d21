"""Clips out, in every container with the settings that made them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from suffice.errors import MediaError, UsageError, nearest
from suffice.media.image import Image

Settings = Mapping[str, Any]
NAME = "settings.json"
_USER_COMMENT = 0x9286
_ASCII = b"ASCII\0\0\0"


def write_clip(
    path: Path,
    frames: Iterable[Image],
    fps: float,
    settings: Settings,
    until: type[BaseException] = KeyboardInterrupt,
) -> int:
    """Write `frames` to `path`; returns how many.

    The format is that of the suffix: ``.mp4`` (H.264, yuv420p), ``.webm`` (VP9), ``.gif``, ``.webp``, ``.png``
    (animated when there is more than one frame); without a suffix, a folder of numbered PNGs. When the frames stop with
    `until`, what came before is written, and then it is raised again.

    Raises:
        UsageError: another suffix.
        MediaError: no frames.
    """
    check_format(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _Until(frames, until)
    writer = _WRITERS[path.suffix.lower()]
    if path.suffix:
        partial = path.with_name(f".{path.name}.part{path.suffix}")
        try:
            count = writer(partial, _some(kept, path), fps, settings)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
    else:
        count = writer(path, _some(kept, path), fps, settings)
    if kept.reason:
        raise kept.reason
    return count


def check_format(path: Path) -> None:
    """Raise :class:`UsageError` when `path` has a suffix that clips are not written as."""
    if path.suffix.lower() not in _WRITERS:
        known = [suffix or "a folder" for suffix in _WRITERS]
        raise UsageError(f"{path.name!r}: clips are written as {', '.join(known)}{nearest(path.suffix, known)}")


class _Until:
    """Frames until somebody has enough; then they just end, and `reason` is what ended them."""

    def __init__(self, frames: Iterable[Image], until: type[BaseException]) -> None:
        self._frames, self._until = frames, until
        self.reason: BaseException | None = None

    def __iter__(self) -> Iterator[Image]:
        try:
            yield from self._frames
        except self._until as reason:
            self.reason = reason


def _some(frames: Iterable[Image], path: Path) -> Iterator[Image]:
    remaining = iter(frames)
    first = next(remaining, None)
    if first is None:
        raise MediaError(f"no frames to write to {str(path)!r}")
    return chain([first], remaining)


def _text(settings: Settings) -> str:
    return json.dumps(settings, ensure_ascii=True, sort_keys=True)


def _write_mp4(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    options = {"movflags": "faststart+use_metadata_tags"}
    return _write_stream(path, frames, fps, settings, "mp4", "libx264", {"crf": "16", "preset": "slow"}, options)


def _write_webm(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    return _write_stream(path, frames, fps, settings, "webm", "libvpx-vp9", {"crf": "24", "b": "0"}, {})


def _write_stream(
    path: Path,
    frames: Iterator[Image],
    fps: float,
    settings: Settings,
    container_format: str,
    codec: str,
    options: dict[str, str],
    container_options: dict[str, str],
) -> int:
    import av

    count = 0
    with av.open(str(path), "w", format=container_format, options=container_options) as container:
        container.metadata["comment"] = _text(settings)
        stream: Any = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            if count == 0:
                stream.height, stream.width = (side + side % 2 for side in frame.shape[:2])
            picture = av.VideoFrame.from_ndarray(_even(frame), format="rgb24")
            picture.pts = count
            container.mux(stream.encode(picture))
            count += 1
        container.mux(stream.encode(None))
    return count


def _even(frame: Image) -> Image:
    height, width = frame.shape[:2]
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _write_gif(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    import PIL.Image

    pictures = [PIL.Image.fromarray(frame) for frame in frames]
    palette = _palette(pictures)
    indexed = [picture.quantize(palette=palette, dither=PIL.Image.Dither.FLOYDSTEINBERG) for picture in pictures]
    indexed[0].save(
        path,
        save_all=True,
        append_images=indexed[1:],
        duration=_durations_ms(len(indexed), fps, 10),
        loop=0,
        comment=_text(settings).encode(),
    )
    return len(indexed)


def _palette(pictures: list[Any]) -> Any:
    """256 colours for the whole clip, from up to 16 of its frames side by side: colours stay from frame to frame."""
    import PIL.Image

    some = pictures[:: max(1, len(pictures) // 16)][:16]
    width, height = some[0].size
    sheet = PIL.Image.new("RGB", (width * len(some), height))
    for place, picture in enumerate(some):
        sheet.paste(picture, (place * width, 0))
    return sheet.quantize(256, method=PIL.Image.Quantize.MEDIANCUT)


def _durations_ms(count: int, fps: float, unit_ms: int) -> list[int]:
    """Whole units a frame that add up to the length of the clip."""
    ends = [round(number * 1000 / fps / unit_ms) for number in range(count + 1)]
    return [max(1, after - before) * unit_ms for before, after in pairwise(ends)]


def _write_webp(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    import PIL.Image

    pictures = [PIL.Image.fromarray(frame) for frame in frames]
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[_USER_COMMENT] = _ASCII + _text(settings).encode()
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=_durations_ms(len(pictures), fps, 1),
        loop=0,
        quality=90,
        method=4,
        exif=exif.tobytes(),
    )
    return len(pictures)


def _write_png(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    import PIL.Image

    pictures = [PIL.Image.fromarray(frame) for frame in frames]
    more: dict[str, Any] = {}
    if len(pictures) > 1:
        more = {"save_all": True, "append_images": pictures[1:], "duration": 1000 / fps, "loop": 0}
    pictures[0].save(path, pnginfo=_png_text(settings), **more)
    return len(pictures)


def _png_text(settings: Settings) -> Any:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("suffice", _text(settings))
    return text


def _write_folder(path: Path, frames: Iterator[Image], fps: float, settings: Settings) -> int:
    import PIL.Image

    path.mkdir(parents=True, exist_ok=True)
    (path / NAME).write_text(json.dumps({**settings, "fps": fps}, indent=1), "utf-8")
    count = 0
    for count, frame in enumerate(frames, 1):
        PIL.Image.fromarray(frame).save(path / f"{count - 1:06}.png", pnginfo=_png_text(settings))
    return count


_WRITERS: dict[str, Callable[[Path, Iterator[Image], float, Settings], int]] = {
    ".mp4": _write_mp4,
    ".webm": _write_webm,
    ".gif": _write_gif,
    ".webp": _write_webp,
    ".png": _write_png,
    "": _write_folder,
}
