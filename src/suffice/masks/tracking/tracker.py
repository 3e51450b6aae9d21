"""Ids for boxes, frame after frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from suffice.masks.backend import Found
from suffice.masks.tracking.associate import associate
from suffice.masks.tracking.motion import BoxXyxy, Motion


@dataclass(frozen=True)
class TrackSettings:
    """How ids are given and kept.

    Attributes:
        sure_score: boxes at or above it are matched first and may begin a track.
        iou_min: least overlap with where a thing was expected, for sure boxes.
        iou_min_unsure: the same for the others, which only go on with a track.
        hits_min: a track is sure from its so many-th box on, so that a flicker gets no id.
        patience: frames for which a thing that is not seen keeps its id.
    """

    sure_score: float = 0.5
    iou_min: float = 0.2
    iou_min_unsure: float = 0.4
    hits_min: int = 2
    patience: int = 15


@dataclass
class Track:
    """One thing through time; `missed` frames since it was last seen."""

    id: int
    label: str
    motion: Motion
    found: Found
    hits: int = 1
    missed: int = 0
    is_prompted: bool = False
    expected: BoxXyxy = field(default=(0.0, 0.0, 0.0, 0.0))


class Tracker:
    """Sure boxes are matched with all tracks, unsure ones with what is left (Zhang et al. 2022, ByteTrack).

    Memory is that of the tracks alive: those seen within `patience` frames.
    """

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self.tracks: list[Track] = []
        self._last_id = 0

    def update(self, found: Sequence[Found]) -> list[Track]:
        """The tracks seen in this frame, oldest first."""
        for track in self.tracks:
            track.expected = track.motion.predict()
            track.missed += 1
        sure = [each for each in found if each.score >= self.settings.sure_score]
        unsure = [each for each in found if each.score < self.settings.sure_score]
        fresh = self._match(self.tracks, sure, self.settings.iou_min)
        self._match([t for t in self.tracks if t.missed], unsure, self.settings.iou_min_unsure)
        for each in fresh:
            self.begin(each)
        self.tracks = [t for t in self.tracks if t.missed <= self._patience(t)]
        return [t for t in self.tracks if not t.missed and self.is_sure(t)]

    def unsure(self) -> list[Track]:
        """The tracks seen in the last frame that may be a flicker yet."""
        return [t for t in self.tracks if not t.missed and not self.is_sure(t)]

    def is_sure(self, track: Track) -> bool:
        """Whether it was prompted, or seen often enough."""
        return track.is_prompted or track.hits >= self.settings.hits_min

    def begin(self, found: Found, track_id: int | None = None) -> Track:
        """A new track; with an id of the caller's choice it is shown at once and replaces any of that id."""
        if track_id is not None:
            self.tracks = [track for track in self.tracks if track.id != track_id]
        self._last_id = max(self._last_id, track_id or self._last_id + 1)
        track = Track(track_id or self._last_id, found.label, Motion(found.box_xyxy), found)
        track.is_prompted = track_id is not None
        self.tracks.append(track)
        return track

    def see(self, track: Track, found: Found) -> None:
        """`track` is where `found` is."""
        track.motion.correct(found.box_xyxy)
        track.found, track.missed = found, 0
        track.hits += 1

    def _match(self, tracks: Sequence[Track], found: Sequence[Found], iou_min: float) -> list[Found]:
        pairs = associate(
            [t.expected for t in tracks], [t.label for t in tracks],
            [f.box_xyxy for f in found], [f.label for f in found], iou_min,
        )  # fmt: skip
        for known, seen in pairs.matched:
            self.see(tracks[known], found[seen])
        return [found[index] for index in pairs.seen_left]

    def _patience(self, track: Track) -> int:
        """A track that was never shown is not waited for."""
        return self.settings.patience if self.is_sure(track) else 1
