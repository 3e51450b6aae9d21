"""The answer: things with their masks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask, Rle, encode_rle


@dataclass(frozen=True, eq=False)
class Candidate:
    """One reading of a prompt; `score` is the backend's own estimate of the overlap (IoU) with what was meant."""

    mask: Mask
    score: float


@dataclass(frozen=True, eq=False)
class FoundThing:
    """A thing in a picture.

    Attributes:
        id: counts from 1 in one answer; stays with the thing through a video.
        label: what it is called, or empty.
        candidates: up to three readings, the best first in nothing but `best`.
        best: index of the best candidate.
        found_score: of the box it was found by, None when it was prompted.
    """

    id: int
    label: str
    candidates: tuple[Candidate, ...]
    best: int = 0
    found_score: float | None = None

    @property
    def mask(self) -> Mask:
        return self.candidates[self.best].mask

    @property
    def score(self) -> float:
        """How sure: of the box when it was found by a word, else of the mask."""
        return self.candidates[self.best].score if self.found_score is None else self.found_score

    @property
    def area(self) -> int:
        """Pixels of the mask."""
        return int(np.count_nonzero(self.mask))

    @property
    def box_xyxy(self) -> tuple[int, int, int, int]:
        """Around the mask, right and bottom exclusive; all 0 when it is empty."""
        if not self.mask.any():
            return (0, 0, 0, 0)
        box = mask_box(self.mask)
        return box.x0, box.y0, box.x1, box.y1

    @property
    def rle(self) -> Rle:
        """The mask in COCO's compressed run lengths."""
        return encode_rle(self.mask)

    def chosen(self, index: int) -> FoundThing:
        """The same thing with another candidate as its best."""
        return replace(self, best=index)

    def as_json(self) -> Mapping[str, Any]:
        """The object of the command line's contract, without files."""
        return {
            "id": self.id,
            "label": self.label,
            "score": round(self.score, 4),
            "box_xyxy": list(self.box_xyxy),
            "area": self.area,
            "rle": self.rle,
        }


def best_of(candidates: tuple[Candidate, ...]) -> int:
    """Index of the candidate with the highest score, the first of equals."""
    return max(range(len(candidates)), key=lambda index: (candidates[index].score, -index))
