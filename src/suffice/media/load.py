"""Image references to pixels, decoding each file once and as little of it as possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from suffice.errors import MediaError
from suffice.media.decode_frames import DecodeStats, decode_frames
from suffice.media.document import render_pages
from suffice.media.frames_ahead import FileAhead
from suffice.media.image import Image, decode_image
from suffice.media.index_video import VideoIndex
from suffice.media.kept_index import kept_index
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import decode_rle
from suffice.media.reference import Box, MaskCut, parse_reference
from suffice.media.scan import describe

Loaded = Image | MediaError
_Steps = tuple[Box | MaskCut, ...]
_Rows = dict[int, list[tuple[int, _Steps]]]


@dataclass(frozen=True)
class Located:
    """Where the file of a hash is.

    Attributes:
        path: path or URL.
        stamp: :attr:`suffice.media.scan.FoundFile.stamp` when its hash was taken, or empty not to check.
        index: of a video, if at hand; else it is made here and kept for the next call.
        ahead: of a video, the frames wanted soon.
    """

    path: str
    stamp: str = ""
    index: VideoIndex | None = None
    ahead: FileAhead | None = None


def load_images(
    references: Sequence[str],
    locate: Callable[[str], Located],
    *,
    dpi: float = 150,
    threads: int = 1,
    stats: DecodeStats | None = None,
) -> Iterator[tuple[int, Loaded]]:
    """Load the picture of each reference, file by file, frames in order: not in the order of `references`.

    One picture is held at a time; all its crops are cut from it. Crops are clipped to the picture.

    Args:
        references: texts as in :mod:`suffice.media.reference`.
        locate: where the file with a content hash is; may raise :class:`MediaError`.
        dpi: at which pages are rendered.
        threads: of the video decoder.
        stats: counts what video decoding cost.

    Yields:
        ``(position in references, uint8 [height, width, 3] RGB or the reason why there is none)``, each position once.
    """
    files: dict[tuple[str, str], _Rows] = defaultdict(lambda: defaultdict(list))
    for position, text in enumerate(references):
        try:
            reference = parse_reference(text)
        except MediaError as error:
            yield position, error
            continue
        files[reference.kind, reference.file_hash][reference.index].append((position, reference.crops_xyxy))
    for (kind, file_hash), rows in files.items():
        yield from _load_file(kind, file_hash, rows, locate, dpi, threads, stats)


def crop(picture: Image, boxes_xyxy: Sequence[Box | MaskCut]) -> Image:
    """Cut `picture` to each box in turn, clipped to what is there; raises :class:`MediaError` when nothing is left.

    A mask in place of a box leaves white where it is not, and crops to it.
    """
    for box in boxes_xyxy:
        if isinstance(box, MaskCut):
            picture = _under(picture, box)
            continue
        height, width = picture.shape[:2]
        picture = picture[max(box.y0, 0) : max(box.y1, 0), max(box.x0, 0) : max(box.x1, 0)]
        if picture.size == 0:
            raise MediaError(f"the crop {tuple(box)} leaves nothing of a picture of {width} x {height}")
    return np.ascontiguousarray(picture)


def _under(picture: Image, cut: MaskCut) -> Image:
    height, width = picture.shape[:2]
    if (cut.height, cut.width) != (height, width):
        raise MediaError(f"a mask of {cut.width} x {cut.height} does not fit a picture of {width} x {height}")
    mask = decode_rle({"size": [height, width], "counts": cut.counts})
    if not mask.any():
        raise MediaError("the mask leaves nothing of the picture")
    box = mask_box(mask)
    kept = np.where(mask[..., None], picture, np.uint8(255))
    return kept[box.y0 : box.y1, box.x0 : box.x1]


def _load_file(
    kind: str,
    file_hash: str,
    rows: _Rows,
    locate: Callable[[str], Located],
    dpi: float,
    threads: int,
    stats: DecodeStats | None,
) -> Iterator[tuple[int, Loaded]]:
    left = dict(sorted(rows.items()))
    try:
        located = locate(file_hash)
        _check_unchanged(located)
        for index, picture in _pictures(kind, located, list(left), dpi, threads, stats):
            yield from _cut(picture, left.pop(index))
    except MediaError as error:
        for cuts in left.values():
            yield from _cut(error, cuts)


def _pictures(
    kind: str, located: Located, indices: list[int], dpi: float, threads: int, stats: DecodeStats | None
) -> Iterator[tuple[int, Loaded]]:
    if kind == "img":
        yield 0, decode_image(located.path)
    elif kind == "doc":
        yield from render_pages(located.path, indices, dpi)
    else:
        index = located.index or kept_index(located.path, describe(located.path).stamp)
        yield from _frames(located, indices, index, threads, stats)


def _frames(
    located: Located, indices: list[int], index: VideoIndex, threads: int, stats: DecodeStats | None
) -> Iterator[tuple[int, Loaded]]:
    def decode(frames: list[int]) -> Iterator[tuple[int, Loaded]]:
        return decode_frames(located.path, frames, index, threads=threads, stats=stats)

    there = [i for i in indices if i < len(index)]
    yield from decode(there) if located.ahead is None else located.ahead.frames(there, index, decode)
    for i in indices[len(there) :]:
        yield i, MediaError(f"{located.path!r} has no frame {i}, only 0 to {len(index) - 1}")


def _cut(picture: Loaded, cuts: list[tuple[int, _Steps]]) -> Iterator[tuple[int, Loaded]]:
    for position, boxes in cuts:
        try:
            yield position, picture if isinstance(picture, MediaError) else crop(picture, boxes)
        except MediaError as error:
            yield position, error


def _check_unchanged(located: Located) -> None:
    if not located.stamp:
        return
    stamp = describe(located.path).stamp
    if stamp != located.stamp:
        happened = "is gone" if stamp == "missing" else "has changed"
        raise MediaError(f"{located.path!r} {happened} since it was looked at: run the query again")
