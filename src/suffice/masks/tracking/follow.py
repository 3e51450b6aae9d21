"""Things followed through frames: found or prompted, tracked, segmented, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from suffice.masks.ask import box_inside
from suffice.masks.backend import Finder, Found, Segmenter
from suffice.masks.found import FoundThing, best_of
from suffice.masks.prompt import Prompt, ThingPrompt
from suffice.masks.settle_found import settle_found
from suffice.masks.tracking.shift import shift_of
from suffice.masks.tracking.tracker import Track, Tracker, TrackSettings
from suffice.media.mask_crop import mask_box
from suffice.models.protocol import Image

LIKENESS_MIN = 0.5


@dataclass(frozen=True)
class Numbered:
    """A thing that the user says is number `id` in some frame: a new one, or a known one put right."""

    id: int
    thing: ThingPrompt


@dataclass(frozen=True)
class Follow:
    """What to follow.

    Attributes:
        prompt: words, found in every frame; things of it are prompted in the first.
        prompted: frame index to things, at any frame and as often as wanted.
        settings: of the tracker.
    """

    prompt: Prompt
    prompted: Mapping[int, Sequence[Numbered]] = field(default_factory=dict)
    settings: TrackSettings = field(default_factory=TrackSettings)


@dataclass(frozen=True, eq=False)
class FrameThings:
    """A frame and the things in it, their ids the same as in every other frame."""

    frame_index: int
    image: Image
    things: list[FoundThing]


def follow(
    frames: Iterable[tuple[int, Image]], asked: Follow, segmenter: Segmenter, finder: Finder | None
) -> Iterator[FrameThings]:
    """`frames` one by one, in any order that is one in time (backwards too); two of them are held at once.

    A found thing is tracked by its boxes. A frame is answered when the next one was looked at: a thing that is seen
    there again is shown from its first box on, a flicker never. A prompted one that no word finds again goes where its
    patch went, and is lost when nothing there is like it.
    """
    tracker = Tracker(asked.settings)
    held: _Held | None = None
    is_first = True
    for frame_index, image in frames:
        seen = tracker.update(_found(image, asked.prompt, finder, asked.settings))
        if held is not None:
            yield held.settled(segmenter, [track for track, _ in held.unsure if tracker.is_sure(track)])
            seen += _carried(tracker, held.image, image)
        prompted = [*_at_start(asked.prompt, held is None), *asked.prompted.get(frame_index, ())]
        is_first = held is None
        held = _answered(frame_index, image, tracker, seen, prompted, segmenter)
    if held is not None:
        yield held.settled(segmenter, [track for track, _ in held.unsure if is_first])


@dataclass(frozen=True, eq=False)
class _Held:
    """A frame with what is sure in it, and the tracks, with their boxes here, that the next frame decides on."""

    frame_index: int
    image: Image
    encoded: Any
    things: list[FoundThing]
    unsure: list[tuple[Track, ThingPrompt]]

    def settled(self, segmenter: Segmenter, confirmed: Sequence[Track]) -> FrameThings:
        """With the `confirmed` ones of the unsure."""
        late = [(track, prompt) for track, prompt in self.unsure if any(track is each for each in confirmed)]
        answers = segmenter.segment(self.encoded, [prompt for _, prompt in late]) if late else []
        things = [
            FoundThing(track.id, track.label, candidates, best_of(candidates), prompt.label_score)
            for (track, prompt), candidates in zip(late, answers, strict=True)
        ]
        return FrameThings(self.frame_index, self.image, sorted([*self.things, *things], key=lambda each: each.id))


def _at_start(prompt: Prompt, is_first: bool) -> list[Numbered]:
    return [Numbered(number, thing) for number, thing in enumerate(prompt.things, 1)] if is_first else []


def _found(image: Image, prompt: Prompt, finder: Finder | None, settings: TrackSettings) -> list[Found]:
    if not prompt.texts or finder is None:
        return []
    asked = prompt if prompt.box_score_min is not None else replace(prompt, box_score_min=settings.sure_score * 0.7)
    height, width = image.shape[:2]
    settled = settle_found(finder.find(image, asked), asked)
    return [replace(found, box_xyxy=box_inside(found.box_xyxy, width, height)) for found in settled]


def _carried(tracker: Tracker, before: Image, image: Image) -> list[Track]:
    """Prompted tracks that no box was matched to, moved with their patch."""
    carried = []
    for track in [t for t in tracker.tracks if t.is_prompted and t.missed == 1]:
        box = track.found.box_xyxy
        shift = shift_of(before, box, image)
        if shift.likeness >= LIKENESS_MIN:
            moved = (box[0] + shift.x, box[1] + shift.y, box[2] + shift.x, box[3] + shift.y)
            height, width = image.shape[:2]
            tracker.see(track, replace(track.found, box_xyxy=box_inside(moved, width, height)))
            carried.append(track)
    return carried


def _answered(
    frame_index: int,
    image: Image,
    tracker: Tracker,
    seen: Sequence[Track],
    prompted: Sequence[Numbered],
    segmenter: Segmenter,
) -> _Held:
    """The things of a frame by id; a prompt in this frame goes before what tracking says of its id."""
    unsure = [(track, _as_prompt(track)) for track in tracker.unsure()]
    asked = {track.id: _as_prompt(track) for track in seen}
    for each in prompted:
        asked[each.id] = each.thing
    encoded = segmenter.encode(image) if asked or unsure else None
    answers = segmenter.segment(encoded, [asked[number] for number in sorted(asked)]) if asked else []
    things = []
    for number, candidates in zip(sorted(asked), answers, strict=True):
        scored = next((t.found.score for t in seen if t.id == number and not t.is_prompted), None)
        things.append(FoundThing(number, asked[number].label, candidates, best_of(candidates), scored))
    for each in prompted:
        _begin(tracker, each, next(thing for thing in things if thing.id == each.id))
    return _Held(frame_index, image, encoded, things, unsure)


def _as_prompt(track: Track) -> ThingPrompt:
    """Its box in the frame it was last seen in."""
    return ThingPrompt(box_xyxy=track.found.box_xyxy, label=track.label, label_score=track.found.score)


def _begin(tracker: Tracker, each: Numbered, thing: FoundThing) -> None:
    if thing.mask.any():
        x0, y0, x1, y1 = each.thing.box_xyxy or mask_box(thing.mask)
        box = (float(x0), float(y0), float(x1), float(y1))
        tracker.begin(Found(box, thing.score, thing.label, thing.label), each.id)
