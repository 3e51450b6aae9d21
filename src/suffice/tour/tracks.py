"""Masks of a video, read back from the file that masking wrote."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from suffice.media.mask_rle import Mask


@dataclass(frozen=True)
class MaskedThing:
    """A thing in one frame."""

    id: int
    box_xyxy: tuple[int, int, int, int]
    mask: Mask


@dataclass(frozen=True)
class MaskedFrame:
    """A frame and what is in it."""

    frame_index: int
    things: tuple[MaskedThing, ...]

    def thing(self, number: int) -> MaskedThing | None:
        """The thing of that number, when it is there."""
        return next((thing for thing in self.things if thing.id == number), None)


def read_tracks(path: Path) -> list[MaskedFrame]:
    """Every frame of a track file, in its order."""
    return [_frame(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _frame(line: str) -> MaskedFrame:
    from suffice.media.mask_rle import decode_rle

    told = json.loads(line)
    things = (MaskedThing(one["id"], tuple(one["box_xyxy"]), decode_rle(one["rle"])) for one in told["objects"])
    return MaskedFrame(told["frame_index"], tuple(things))


def longest(frames: list[MaskedFrame]) -> int:
    """The number of the thing that is in most frames, the largest of those."""
    areas: dict[int, list[int]] = {}
    for frame in frames:
        for thing in frame.things:
            areas.setdefault(thing.id, []).append(int(thing.mask.sum()))
    return max(areas, key=lambda number: (len(areas[number]), sum(areas[number])))
