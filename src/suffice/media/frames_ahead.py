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
        for i, picture in decode(sorted(asked | self._passed(rest, index))) if rest else ():
            if i in self.soon and not isinstance(picture, MediaError) and picture.nbytes <= room:
                self.kept[i] = picture
                room -= picture.nbytes
            if i in asked:
                yield i, picture

    def _passed(self, wanted: list[int], index: VideoIndex) -> set[int]:
        """What comes soon and is decoded anyway on the way to `wanted`."""
        soon = np.array([i for i in self.soon if i < len(index) and i not in self.kept], np.int64)
        last = np.full(len(index), -1, np.int64)
        np.maximum.at(last, index.key[wanted], index.packet[wanted])
        return set(soon[index.packet[soon] <= last[index.key[soon]]].tolist())
