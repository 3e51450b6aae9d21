"""Answers as plain data, for a service of any kind: whoever calls has opened the pictures that it may open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suffice.errors import UsageError
from suffice.masks.ask import ask
from suffice.masks.backend import Finder, Segmenter
from suffice.masks.batch import stepped
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import FoundThing
from suffice.masks.names import FINDERS, SEGMENTERS
from suffice.masks.prompt import Prompt, checked
from suffice.masks.semantic.semantic_map import SemanticMap, enhanced
from suffice.masks.settle_found import settle_found
from suffice.masks.steps import Step, take_steps
from suffice.media.mask_rle import Mask, encode_rle
from suffice.models.named_parts import names_of
from suffice.models.protocol import Image


def models() -> dict[str, list[str]]:
    """Kinds of segmenter and finder that are installed."""
    return {"segmenters": names_of(SEGMENTERS), "finders": names_of(FINDERS)}


def predict(
    image: Image,
    prompt: Prompt,
    segmenter: Segmenter,
    finder: Finder,
    embeddings: Embeddings | None = None,
    steps: Sequence[Step] = (),
    all_candidates: bool = False,
) -> dict[str, Any]:
    """``{"size_wh", "objects": […]}``, each as the command line prints it; with its candidates when they are wanted.

    Args:
        steps: done to every mask, in order.
    """
    things = stepped(ask(image, prompt, segmenter, finder, embeddings), steps)
    told = _with_candidates if all_candidates else FoundThing.as_json
    return {"size_wh": [image.shape[1], image.shape[0]], "objects": [dict(told(thing)) for thing in things]}


def find(image: Image, prompt: Prompt, finder: Finder) -> dict[str, Any]:
    """Boxes for words, without masks: ``{"boxes": [{"number", "box_xyxy", "score", "label", "asked"}]}``.

    The numbers are those that ``chosen`` of a later :func:`predict` means.
    """
    if not prompt.texts:
        raise UsageError("boxes are found by words: give texts")
    checked(prompt, image.shape[1], image.shape[0])
    found = settle_found(finder.find(image, prompt), prompt)
    return {
        "boxes": [
            {
                "number": number,
                "box_xyxy": [round(side, 2) for side in each.box_xyxy],
                "score": round(each.score, 4),
                "label": each.label,
                "asked": each.asked,
            }
            for number, each in enumerate(found)
        ]
    }


def change(mask: Mask, steps: Sequence[Step]) -> dict[str, Any]:
    """A mask after steps: run lengths and area."""
    return _told(take_steps(mask, steps))


def semantic(found: SemanticMap, masks: Sequence[Mask] = (), majority_min: float = 0.0) -> dict[str, Any]:
    """A map, sharpened by masks when there are any: ``{"size_wh", "areas", "masks": {name: rle}}``."""
    sharper = enhanced(found, masks, majority_min)
    areas = sharper.areas()
    size_wh = [found.ids.shape[1], found.ids.shape[0]]
    return {"size_wh": size_wh, "areas": areas, "masks": {n: encode_rle(sharper.category(n)) for n in areas}}


def category(
    found: SemanticMap, include: str, exclude: str = "", masks: Sequence[Mask] = (), steps: Sequence[Step] = ()
) -> dict[str, Any]:
    """The mask of some classes of a map, sharpened by masks when there are any, after steps: run lengths and area."""
    return _told(take_steps(enhanced(found, masks).category(include, exclude), steps))


def _told(mask: Mask) -> dict[str, Any]:
    return {"rle": encode_rle(mask), "area": int(np.count_nonzero(mask))}


def _with_candidates(thing: FoundThing) -> Mapping[str, Any]:
    candidates = [{"rle": encode_rle(each.mask), "score": round(each.score, 4)} for each in thing.candidates]
    return {**thing.as_json(), "candidates": candidates, "best": thing.best}
