"""One picture, one prompt, its masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from suffice.errors import MediaError
from suffice.masks.backend import Finder, Found, Segmenter
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import Candidate, FoundThing, best_of
from suffice.masks.prompt import BoxXyxy, Prompt, ThingPrompt, checked
from suffice.masks.settle_found import settle_found
from suffice.models.protocol import Image

SIDE_PX_MAX = 12_000


def ask(
    image: Image,
    prompt: Prompt,
    segmenter: Segmenter,
    finder: Finder | None = None,
    embeddings: Embeddings | None = None,
) -> list[FoundThing]:
    """Whatever `prompt` asks of `image`, numbered from 1: prompted things, then found ones, then everything.

    Args:
        image: uint8 ``[height, width, 3]``, RGB, at most :data:`SIDE_PX_MAX` a side.
        finder: for ``prompt.texts``.
        embeddings: where encodings are kept; by default none is.

    Raises:
        UsageError: the prompt does not fit the picture.
        MediaError: the picture is too large.
    """
    height, width = image.shape[:2]
    if max(height, width) > SIDE_PX_MAX:
        raise MediaError(f"a picture of {width} x {height} is above the limit of {SIDE_PX_MAX} pixels a side: crop it")
    checked(prompt, width, height)
    things, found_masks = list(prompt.things), {}
    for found in _found(image, prompt, finder):
        if found.mask is not None:
            found_masks[len(things)] = found.mask
        things.append(
            ThingPrompt(box_xyxy=box_inside(found.box_xyxy, width, height), label=found.label, label_score=found.score)
        )
    encoded = (embeddings or Embeddings()).encode(segmenter, image) if things or prompt.everything else None
    answers = _answers(segmenter, encoded, things, found_masks)
    answered = [
        FoundThing(number, thing.label, candidates, best_of(candidates), thing.label_score)
        for number, (thing, candidates) in enumerate(zip(things, answers, strict=True), 1)
    ]
    if prompt.everything:
        more = segmenter.everything(encoded)
        answered += [FoundThing(len(answered) + n, "", (candidate,)) for n, candidate in enumerate(more, 1)]
    return answered


def _found(image: Image, prompt: Prompt, finder: Finder | None) -> list[Found]:
    if not prompt.texts:
        return []
    from suffice.masks.default.finder import DefaultFinder

    return settle_found((finder or DefaultFinder()).find(image, prompt), prompt)


def _answers(
    segmenter: Segmenter, encoded: object, things: Sequence[ThingPrompt], found_masks: dict[int, np.ndarray]
) -> list[tuple[Candidate, ...]]:
    """From the segmenter, but a mask that the finder gave stays."""
    asked = [index for index in range(len(things)) if index not in found_masks]
    segmented = segmenter.segment(encoded, [things[index] for index in asked]) if asked else []
    answers = dict(zip(asked, segmented, strict=True))
    for index, mask in found_masks.items():
        answers[index] = (Candidate(mask, things[index].label_score or 0.0),)
    return [answers[index] for index in range(len(things))]


def box_inside(box_xyxy: BoxXyxy, width: int, height: int) -> BoxXyxy:
    """Finders look a little beyond the picture; a box keeps at least a pixel inside."""
    x0, y0 = min(max(box_xyxy[0], 0.0), width - 1.0), min(max(box_xyxy[1], 0.0), height - 1.0)
    return x0, y0, max(min(box_xyxy[2], float(width)), x0 + 1), max(min(box_xyxy[3], float(height)), y0 + 1)
