"""What a file holds: its kind by content, its size, how many frames or pages."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import BinaryIO

from suffice.errors import MediaError
from suffice.media.document import page_sizes
from suffice.media.image import decode_image, read_image_size
from suffice.media.index_video import VideoIndex, index_video
from suffice.media.scan import open_file
from suffice.media.sniff import HEAD_BYTES, KINDS, Kind, sniff
from suffice.media.text import read_texts

_TAIL_BYTES = 4096
_END_MARKS = {"jpeg": b"\xff\xd9", "png": b"IEND", "gif": b";"}
_CALLED = {"video": "a video", "image": "a picture", "document": "a document", "text": "a text"}


@dataclass(frozen=True)
class Blob:
    """A file that can be read as what was asked for.

    Attributes:
        format: such as ``mp4`` or ``jpeg``, by content.
        width, height: of a picture or a video's frames in pixels, upright; 0 for documents and texts.
        count: frames, pages or text chunks; 1 for a picture.
        video: the index of a video.
        page_sizes: width and height of each page (PDF: points, TIFF: pixels).
        problem: empty, or what is missing of an otherwise readable file, such as a recording that broke off.
    """

    path: str
    kind: Kind
    format: str
    width: int = 0
    height: int = 0
    count: int = 1
    video: VideoIndex | None = field(default=None, compare=False, repr=False)
    page_sizes: tuple[tuple[float, float], ...] = ()
    problem: str = ""


def probe(path: str, kind: Kind | None = None) -> Blob:
    """Look into `path`, as `kind` when given; else as what its content is first of all.

    Raises:
        MediaError: the file is empty, cut off, unreadable, no medium at all, or not of this kind.
    """
    with open_file(path) as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise MediaError(f"{path!r} is empty")
        format_ = sniff(head)
        if format_ is None:
            raise MediaError(
                f"{path!r} is {_CALLED[kind] if kind else 'a medium'} by name only: its content is unknown"
            )
        kind = kind or KINDS[format_][0]
        if kind not in KINDS[format_]:
            raise MediaError(f"{path!r} is {_CALLED[KINDS[format_][0]]} ({format_}), not {_CALLED[kind]}")
        return _PROBES[kind](path, format_, file)


def _probe_video(path: str, format_: str, file: BinaryIO) -> Blob:
    index = index_video(path)
    return Blob(path, "video", format_, index.width, index.height, len(index), index, problem=index.problem)


def _probe_image(path: str, format_: str, file: BinaryIO) -> Blob:
    width, height = read_image_size(path)
    if not _has_its_end(format_, file):
        decode_image(path)  # some cameras write past the end mark, so only decoding tells
    return Blob(path, "image", format_, width, height)


def _has_its_end(format_: str, file: BinaryIO) -> bool:
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(max(size_bytes - _TAIL_BYTES, 0))
    return _END_MARKS.get(format_, b"") in file.read()


def _probe_document(path: str, format_: str, file: BinaryIO) -> Blob:
    sizes = tuple(page_sizes(path))
    return Blob(path, "document", format_, count=len(sizes), page_sizes=sizes)


def _probe_text(path: str, format_: str, file: BinaryIO) -> Blob:
    return Blob(path, "text", format_, count=len(read_texts(path)))


_PROBES = {"video": _probe_video, "image": _probe_image, "document": _probe_document, "text": _probe_text}
