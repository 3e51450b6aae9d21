"""A value that changes over frames: keys, and how to go from one to the next."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

Value = TypeVar("Value")
Travel = Literal["lerp", "slerp", "hold"]
TRAVELS: tuple[Travel, ...] = ("lerp", "slerp", "hold")


class Between(NamedTuple):
    """Where a frame lies: `share` of the way from one key's number to another's."""

    before: int
    after: int
    share: float


@dataclass(frozen=True)
class Track(Generic[Value]):
    """Keys in the order of their frames.

    Attributes:
        frames: of the keys, rising.
        values: one a key.
    """

    frames: tuple[int, ...]
    values: tuple[Value, ...]

    def between(self, frame: int, length: int, *, closed: bool, hold: bool = False) -> Between:
        """Which keys frame `frame` lies between.

        Before the first key and after the last, the nearest key counts alone; in a closed track of `length` frames
        the last key leads on to the first instead.
        """
        place = bisect.bisect_right(self.frames, frame) - 1
        count = len(self.frames)
        before, after = place, place + 1
        if not closed and (place < 0 or after == count):
            return Between(max(place, 0), max(place, 0), 0.0)
        before, after = before % count, after % count
        if hold or before == after:
            return Between(before, before, 0.0)
        gap = (self.frames[after] - self.frames[before]) % length
        return Between(before, after, ((frame - self.frames[before]) % length) / gap)


def constant(value: Value) -> Track[Value]:
    """A track of one key."""
    return Track((0,), (value,))


def numbers_at(track: Track[float], frames: Sequence[int], length: int, *, closed: bool, hold: bool) -> list[float]:
    """The number of each frame, on the straight line between its keys, or as the key before has it."""
    found = []
    for frame in frames:
        before, after, share = track.between(frame, length, closed=closed, hold=hold)
        found.append(track.values[before] * (1 - share) + track.values[after] * share)
    return found
