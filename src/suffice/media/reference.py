"""Names for pictures: where the pixels of an image are, without the pixels.

A reference is a short string that SQL can store, compare and extend:

=====================  =====================================================================
``img:HASH``           a picture file
``vid:HASH#INDEX``     frame INDEX (0-based, presentation order) of a video file
``doc:HASH#INDEX``     page INDEX (0-based) of a document
``…@x0,y0,x1,y1``      a crop of any of these, in pixels of what stands before the ``@``
``…~h,w,COUNTS``       what a mask of h x w pixels keeps of what stands before the ``~``, cropped to it
=====================  =====================================================================

HASH is the content hash of the file (:func:`suffice.media.scan.content_hash`), so equal bytes under two
names are one picture, and whatever was computed on a reference stays true for as long as it is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from suffice.errors import MediaError

# COUNTS are COCO's characters 48 to 111; they may hold an @, but not the comma that follows a crop's first number.
_STEP = r"@-?\d+,-?\d+,-?\d+,-?\d+|~\d+,\d+,[0-o]*"
_PATTERN = re.compile(rf"(img|vid|doc):([0-9a-f]{{32}})(?:#(\d+))?((?:{_STEP})*)")


class Box(NamedTuple):
    """A rectangle in pixels, right and bottom edges exclusive."""

    x0: int
    y0: int
    x1: int
    y1: int


class MaskCut(NamedTuple):
    """A mask of `height` x `width` pixels as COCO's compressed run lengths: the rest is left out."""

    height: int
    width: int
    counts: str


@dataclass(frozen=True)
class Reference:
    """A parsed image reference; ``crops_xyxy`` (and cuts) apply from left to right, each inside the one before."""

    kind: str
    file_hash: str
    index: int
    crops_xyxy: tuple[Box | MaskCut, ...] = ()

    def __str__(self) -> str:
        index = "" if self.kind == "img" else f"#{self.index}"
        crops = "".join("~@"[isinstance(step, Box)] + ",".join(map(str, step)) for step in self.crops_xyxy)
        return f"{self.kind}:{self.file_hash}{index}{crops}"


def parse_reference(text: str) -> Reference:
    """Parse a reference; raises :class:`MediaError` when `text` is not one."""
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise MediaError(f"{text[:80]!r} is not an image reference: expected img:HASH, vid:HASH#FRAME or doc:HASH#PAGE")
    kind, file_hash, index, crops = match.groups()
    return Reference(kind, file_hash, int(index or 0), _steps(crops))


def is_reference(value: object) -> bool:
    """Whether `value` is the text of an image reference."""
    return isinstance(value, str) and _PATTERN.fullmatch(value) is not None


def _steps(text: str) -> tuple[Box | MaskCut, ...]:
    """From the right, where a step's own mark is the last one that makes it whole."""
    steps: list[Box | MaskCut] = []
    while text:
        match = _LAST_STEP.fullmatch(text)
        assert match is not None
        text, step = match.groups()
        parts = step[1:].split(",")
        steps.append(Box(*map(int, parts)) if step[0] == "@" else MaskCut(int(parts[0]), int(parts[1]), parts[2]))
    return tuple(reversed(steps))


_LAST_STEP = re.compile(rf"(|.*?(?:{_STEP}))({_STEP})")
