"""A video in, a masked and numbered video out, and every mask of every frame as lines of JSON."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from suffice.errors import MediaError, UsageError
from suffice.masks.found import FoundThing
from suffice.masks.numbered import numbered_blend
from suffice.masks.tracking.follow import FrameThings
from suffice.media.decode_frames import decode_frames
from suffice.media.index_video import VideoIndex, index_video
from suffice.media.select_frames import select_frames
from suffice.media.write import write_video
from suffice.models.protocol import Image

GROUP = 32

Follower = Callable[[Iterable[tuple[int, Image]]], Iterator[FrameThings]]


@dataclass(frozen=True)
class Span:
    """Which frames: between two moments, at a rate, backwards or not."""

    fps: float | None = None
    start_s: float | None = None
    end_s: float | None = None
    is_backward: bool = False


@dataclass
class Followed:
    """One thing through a video, with its mask where it was surest."""

    best: FoundThing
    first_frame: int
    last_frame: int
    frame_count: int = 1

    def see(self, thing: FoundThing, frame_index: int) -> None:
        self.first_frame = min(self.first_frame, frame_index)
        self.last_frame = max(self.last_frame, frame_index)
        self.frame_count += 1
        if thing.score > self.best.score:
            self.best = thing


@dataclass
class VideoAnswer:
    """What became of a video: its files, and the things by id."""

    path: str
    video: str
    lines: str
    frame_count: int = 0
    things: dict[int, Followed] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        files = {"video": self.video, "tracks": self.lines}
        return {
            "video": {"file": self.video, "source": self.path, "frames": self.frame_count, "tracks": self.lines},
            "objects": [
                {
                    "file": self.path,
                    **each.best.as_json(),
                    "first_frame": each.first_frame,
                    "last_frame": each.last_frame,
                    "frames": each.frame_count,
                    "files": files,
                }
                for _, each in sorted(self.things.items())
            ],
        }


def mask_video(
    path: str,
    follower: Follower,
    out: Path,
    span: Span | None = None,
    on_frame: Callable[[int, int], None] = lambda done, total: None,
    stem: str = "",
) -> VideoAnswer:
    """Follow things through `path`; writes ``STEM_masks.mp4`` and ``STEM_masks.jsonl`` to `out`.

    Args:
        follower: frames to things, such as :func:`~suffice.masks.tracking.follow.follow` with all but its frames.
        stem: of the files written; by default the video's own.

    Frames are decoded, answered, drawn and written one by one: memory does not grow with the video.
    """
    span = span or Span()
    index = index_video(path)
    wanted = select_frames(index, span.fps, span.start_s, span.end_s)
    if not len(wanted):
        raise UsageError(f"{path!r}: no frame between {span.start_s or 0:g} s and {span.end_s or index.duration_s:g} s")
    out.mkdir(parents=True, exist_ok=True)
    stem = stem or Path(path).name.replace(".", "_")
    answer = VideoAnswer(path, str(out / f"{stem}_masks.mp4"), str(out / f"{stem}_masks.jsonl"))
    frames = read_frames(path, index, wanted.tolist(), span.is_backward)
    partial = f"{answer.lines}.part"
    try:
        with open(partial, "w", encoding="utf-8") as lines:
            drawn = _drawn(follower(frames), index, lines, answer, len(wanted), on_frame)
            write_video(answer.video, drawn, span.fps or _fps(index))
        os.replace(partial, answer.lines)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return answer


def read_frames(
    path: str, index: VideoIndex, wanted: list[int], is_backward: bool = False
) -> Iterator[tuple[int, Image]]:
    """The wanted frames that can be decoded; backwards in short groups, each decoded forwards and turned round."""
    if not is_backward:
        yield from _good(decode_frames(path, wanted, index))
        return
    for start in range(len(wanted), 0, -GROUP):
        group = wanted[max(start - GROUP, 0) : start]
        yield from reversed(list(_good(decode_frames(path, group, index))))


def _good(frames: Iterable[tuple[int, Image | MediaError]]) -> Iterator[tuple[int, Image]]:
    for frame_index, picture in frames:
        if isinstance(picture, np.ndarray):
            yield frame_index, picture


def _drawn(
    frames: Iterator[FrameThings],
    index: VideoIndex,
    lines: IO[str],
    answer: VideoAnswer,
    total: int,
    on_frame: Callable[[int, int], None],
) -> Iterator[Image]:
    for each in frames:
        record = {
            "frame_index": each.frame_index,
            "time_s": round(float(index.time_s[each.frame_index]), 6),
            "objects": [thing.as_json() for thing in each.things],
        }
        lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        answer.frame_count += 1
        for thing in each.things:
            _count(answer.things, thing, each.frame_index)
        on_frame(answer.frame_count, total)
        yield numbered_blend(each.image, each.things, boxes=False)


def _count(things: dict[int, Followed], thing: FoundThing, frame_index: int) -> None:
    if thing.id in things:
        things[thing.id].see(thing, frame_index)
    else:
        things[thing.id] = Followed(thing, frame_index, frame_index)


def _fps(index: VideoIndex) -> float:
    gaps = np.diff(index.time_s)
    return float(1 / np.median(gaps)) if len(gaps) and np.median(gaps) > 0 else 10.0
