"""Things followed through frames: found or prompted, tracked, segmented, frame by frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

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

    A found thing is tracked by its boxes. A prompted one that no word finds again goes where its patch went, and is
    lost when nothing there is like it.
    """
    tracker = Tracker(asked.settings)
    before: Image | None = None
    is_first = True
    for frame_index, image in frames:
        seen = tracker.update(_found(image, asked.prompt, finder, asked.settings))
        seen += _carried(tracker, before, image)
        prompted = [*_at_start(asked.prompt, is_first), *asked.prompted.get(frame_index, ())]
        things = _segmented(image, tracker, seen, prompted, segmenter)
        yield FrameThings(frame_index, image, things)
        before, is_first = image, False


def _at_start(prompt: Prompt, is_first: bool) -> list[Numbered]:
    return [Numbered(number, thing) for number, thing in enumerate(prompt.things, 1)] if is_first else []


def _found(image: Image, prompt: Prompt, finder: Finder | None, settings: TrackSettings) -> list[Found]:
    if not prompt.texts or finder is None:
        return []
    asked = prompt if prompt.box_score_min is not None else replace(prompt, box_score_min=settings.sure_score * 0.7)
    height, width = image.shape[:2]
    settled = settle_found(finder.find(image, asked), asked)
    return [replace(found, box_xyxy=box_inside(found.box_xyxy, width, height)) for found in settled]


def _carried(tracker: Tracker, before: Image | None, image: Image) -> list[Track]:
    """Prompted tracks that no box was matched to, moved with their patch."""
    carried = []
    for track in [t for t in tracker.tracks if t.is_prompted and t.missed == 1 and before is not None]:
        box = track.found.box_xyxy
        assert before is not None
        shift = shift_of(before, box, image)
        if shift.likeness >= LIKENESS_MIN:
            moved = (box[0] + shift.x, box[1] + shift.y, box[2] + shift.x, box[3] + shift.y)
            height, width = image.shape[:2]
            tracker.see(track, replace(track.found, box_xyxy=box_inside(moved, width, height)))
            carried.append(track)
    return carried


def _segmented(
    image: Image,
    tracker: Tracker,
    seen: Sequence[Track],
    prompted: Sequence[Numbered],
    segmenter: Segmenter,
) -> list[FoundThing]:
    """The things of a frame by id; a prompt in this frame goes before what tracking says of its id."""
    asked = {t.id: ThingPrompt(box_xyxy=t.found.box_xyxy, label=t.label, label_score=t.found.score) for t in seen}
    for each in prompted:
        asked[each.id] = each.thing
    if not asked:
        return []
    encoded = segmenter.encode(image)
    answers = segmenter.segment(encoded, [asked[number] for number in sorted(asked)])
    things = []
    for number, candidates in zip(sorted(asked), answers, strict=True):
        scored = next((t.found.score for t in seen if t.id == number and not t.is_prompted), None)
        things.append(FoundThing(number, asked[number].label, candidates, best_of(candidates), scored))
    for each in prompted:
        _begin(tracker, each, next(thing for thing in things if thing.id == each.id))
    return things


def _begin(tracker: Tracker, each: Numbered, thing: FoundThing) -> None:
    if thing.mask.any():
        x0, y0, x1, y1 = each.thing.box_xyxy or mask_box(thing.mask)
        box = (float(x0), float(y0), float(x1), float(y1))
        tracker.begin(Found(box, thing.score, thing.label, thing.label), each.id)
