"""Frames of a video that will likely be wanted soon: kept when the decoder passes them on its way to one wanted now.

A frame leans on all before it back to its key frame, so that frames asked a few at a time, spread over a clip, have it
decoded again for every few.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from suffice.errors import MediaError
from suffice.media.image import Image
from suffice.media.index_video import VideoIndex
from suffice.media.reference import parse_reference

if TYPE_CHECKING:
    from suffice.media.load import Loaded, Located

BYTES_MAX = 1 << 28

Decode = Callable[[list[int]], Iterator[tuple[int, "Loaded"]]]


@dataclass
class FramesAhead:
    """What is expected of each video, by hash of its file."""

    bytes_max: int = BYTES_MAX
    files: dict[str, FileAhead] = field(default_factory=dict)

    def expect(self, references: Iterable[str]) -> None:
        """These are wanted now or soon; what else was kept is forgotten."""
        soon: dict[str, set[int]] = defaultdict(set)
        for text in references:
            reference = parse_reference(text)
            soon[reference.file_hash].add(reference.index)
        share = self.bytes_max // max(len(soon), 1)
        before, self.files = self.files, {}
        for file_hash, frames in soon.items():
            kept = before[file_hash].kept if file_hash in before else {}
            self.files[file_hash] = FileAhead(frames, share, {i: kept[i] for i in kept.keys() & frames})

    def locating(self, locate: Callable[[str], Located]) -> Callable[[str], Located]:
        """`locate`, with what is expected of the file."""
        return lambda file_hash: replace(locate(file_hash), ahead=self.files.get(file_hash))


@dataclass
class FileAhead:
    """Frames `soon` wanted of one video, and those `kept`; a copy in another process expects nothing."""

    soon: set[int]
    bytes_max: int
    kept: dict[int, Image] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[FileAhead], tuple[set[int], int]]:
        return FileAhead, (set(), self.bytes_max)

    def frames(self, wanted: list[int], index: VideoIndex, decode: Decode) -> Iterator[tuple[int, Loaded]]:
        """The `wanted` frames, from what is kept as far as that goes."""
        rest = [i for i in wanted if i not in self.kept]
        for i in wanted:
            if i in self.kept:
                yield i, self.kept[i]
        asked, room = set(rest), self.bytes_max - sum(picture.nbytes for picture in self.kept.values())
        for i, picture in decode(sorted(asked | self._passed(rest, index, room))) if rest else ():
            if i in self.soon and not isinstance(picture, MediaError) and picture.nbytes <= room:
                self.kept[i] = picture
                room -= picture.nbytes
            if i in asked:
                yield i, picture

    def _passed(self, wanted: list[int], index: VideoIndex, room: int) -> set[int]:
        """What comes soon and is met on the way to `wanted`; where there is room for it, on as long a way again, so
        that nobody comes back for it."""
        soon = np.array([i for i in self.soon if i < len(index) and i not in self.kept], np.int64)
        far, key_packet = np.zeros(len(index), np.int64), index.key_packet[index.key]
        np.maximum.at(far, index.key[wanted], 1 + index.packet[wanted] - key_packet[wanted])
        way, longest = index.packet[soon] - key_packet[soon], far[index.key[soon]]
        twice = soon[way < 2 * longest]
        fits = 3 * index.width * index.height * twice.size <= room
        return set((twice if fits else soon[way < longest]).tolist())
