"""One picture, one prompt, its masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from suffice.masks.backend import Finder, Found, Segmenter
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import Candidate, FoundThing, best_of
from suffice.masks.large import find_in_tiles, in_whole, in_window, is_large, window_of
from suffice.masks.prompt import BoxXyxy, Prompt, ThingPrompt, checked
from suffice.masks.settle_found import settle_found
from suffice.models.protocol import Image


def ask(
    image: Image,
    prompt: Prompt,
    segmenter: Segmenter,
    finder: Finder | None = None,
    embeddings: Embeddings | None = None,
) -> list[FoundThing]:
    """Whatever `prompt` asks of `image`, numbered from 1: prompted things, then found ones, then everything.

    Args:
        image: uint8 ``[height, width, 3]``, RGB. Of a large one (:mod:`suffice.masks.large`) the part around each
            prompt is looked at, and words are looked for tile by tile; "everything" is of the whole, as it is seen
            from afar.
        finder: for ``prompt.texts``.
        embeddings: where encodings are kept; by default none is.

    Raises:
        UsageError: the prompt does not fit the picture.
        MediaError: the picture has too many pixels.
    """
    height, width = image.shape[:2]
    large = is_large(image)
    checked(prompt, width, height)
    things, found_masks = list(prompt.things), {}
    for found in _found(image, prompt, finder, large):
        if found.mask is not None:
            found_masks[len(things)] = found.mask
        things.append(
            ThingPrompt(box_xyxy=box_inside(found.box_xyxy, width, height), label=found.label, label_score=found.score)
        )
    seen = Seen(image, segmenter, embeddings or Embeddings(), large)
    answers = _answers(seen, things, found_masks)
    answered = [
        FoundThing(number, thing.label, candidates, best_of(candidates), thing.label_score)
        for number, (thing, candidates) in enumerate(zip(things, answers, strict=True), 1)
    ]
    if prompt.everything:
        more = segmenter.everything(seen.encoded)
        answered += [FoundThing(len(answered) + n, "", (candidate,)) for n, candidate in enumerate(more, 1)]
    return answered


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture, and the segmenter that looks at it: as one, or around each prompt when it is large."""

    image: Image
    segmenter: Segmenter
    embeddings: Embeddings
    is_large: bool

    @property
    def encoded(self) -> Any:
        """The whole, encoded."""
        return self.embeddings.encode(self.segmenter, self.image)

    def segment(self, things: Sequence[ThingPrompt]) -> list[tuple[Candidate, ...]]:
        """Candidates of each of `things`, of the whole picture's size."""
        if not self.is_large:
            return self.segmenter.segment(self.encoded, things)
        return [self._in_part(thing) for thing in things]

    def _in_part(self, thing: ThingPrompt) -> tuple[Candidate, ...]:
        height, width = self.image.shape[:2]
        window = window_of(thing, height, width)
        part = np.ascontiguousarray(self.image[window.y0 : window.y1, window.x0 : window.x1])
        encoded = self.embeddings.encode(self.segmenter, part)
        (candidates,) = self.segmenter.segment(encoded, [in_window(thing, window)])
        return in_whole(candidates, window, (height, width))


def _found(image: Image, prompt: Prompt, finder: Finder | None, large: bool) -> list[Found]:
    if not prompt.texts:
        return []
    from suffice.masks.default.finder import DefaultFinder

    looks = finder or DefaultFinder()
    return settle_found(find_in_tiles(image, prompt, looks) if large else looks.find(image, prompt), prompt)


def _answers(
    seen: Seen, things: Sequence[ThingPrompt], found_masks: dict[int, np.ndarray]
) -> list[tuple[Candidate, ...]]:
    """From the segmenter, but a mask that the finder gave stays."""
    asked = [index for index in range(len(things)) if index not in found_masks]
    segmented = seen.segment([things[index] for index in asked]) if asked else []
    answers = dict(zip(asked, segmented, strict=True))
    for index, mask in found_masks.items():
        answers[index] = (Candidate(mask, things[index].label_score or 0.0),)
    return [answers[index] for index in range(len(things))]


def box_inside(box_xyxy: BoxXyxy, width: int, height: int) -> BoxXyxy:
    """Finders look a little beyond the picture; a box keeps at least a pixel inside."""
    x0, y0 = min(max(box_xyxy[0], 0.0), width - 1.0), min(max(box_xyxy[1], 0.0), height - 1.0)
    return x0, y0, max(min(box_xyxy[2], float(width)), x0 + 1), max(min(box_xyxy[3], float(height)), y0 + 1)
