"""Names for pictures: where the pixels of an image are, without the pixels.

A reference is a short string that SQL can store, compare and extend:

=====================  =====================================================================
``img:HASH``           a picture file
``vid:HASH#INDEX``     frame INDEX (0-based, presentation order) of a video file
``doc:HASH#INDEX``     page INDEX (0-based) of a document
``…@x0,y0,x1,y1``      a crop of any of these, in pixels of what stands before the ``@``
=====================  =====================================================================

HASH is the content hash of the file (:func:`suffice.media.scan.content_hash`), so equal bytes under two
names are one picture, and whatever was computed on a reference stays true for as long as it is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from suffice.errors import MediaError

_PATTERN = re.compile(r"(img|vid|doc):([0-9a-f]{32})(?:#(\d+))?((?:@-?\d+,-?\d+,-?\d+,-?\d+)*)")


class Box(NamedTuple):
    """A rectangle in pixels, right and bottom edges exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int


@dataclass(frozen=True)
class Reference:
    """A parsed image reference; ``crops_xyxy`` apply from left to right, each inside the one before."""

    kind: str
    file_hash: str
    index: int
    crops_xyxy: tuple[Box, ...] = ()

    def __str__(self) -> str:
        index = "" if self.kind == "img" else f"#{self.index}"
        crops = "".join("@" + ",".join(map(str, box)) for box in self.crops_xyxy)
        return f"{self.kind}:{self.file_hash}{index}{crops}"


def parse_reference(text: str) -> Reference:
    """Parse a reference; raises :class:`MediaError` when `text` is not one."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise MediaError(f"{text[:80]!r} is not an image reference: expected img:HASH, vid:HASH#FRAME or doc:HASH#PAGE")
    kind, file_hash, index, crops = match.groups()
    boxes = tuple(Box(*map(int, crop.split(","))) for crop in crops.split("@")[1:])
    return Reference(kind, file_hash, int(index or 0), boxes)


def is_reference(value: object) -> bool:
    """Whether `value` is the text of an image reference."""
    return isinstance(value, str) and _PATTERN.fullmatch(value) is not None
