"""A picture of a data set with its labelled masks."""

from __future__ import annotations

from dataclasses import dataclass

from suffice.media.mask_rle import Mask


@dataclass(frozen=True, eq=False)
class Labelled:
    """One thing: its label, its mask, and how sure whoever made it was (None: a person)."""

    label: str
    mask: Mask
    score: float | None = None


@dataclass(frozen=True, eq=False)
class AnnotatedPicture:
    """A picture file by name, its size, and the things in it."""

    file_name: str
    width: int
    height: int
    things: tuple[Labelled, ...]
