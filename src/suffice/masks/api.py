"""Requests and answers as data: what a route of an HTTP service calls, and nothing of HTTP.

Pictures come in as pixels; whoever calls has opened them, within the folders it may open. Answers are JSON objects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from suffice.errors import UsageError, nearest
from suffice.masks.ask import ask
from suffice.masks.backend import Finder, Segmenter
from suffice.masks.batch import stepped
from suffice.masks.embeddings import Embeddings
from suffice.masks.found import FoundThing
from suffice.masks.names import FINDERS, SEGMENTERS, names_of
from suffice.masks.prompt import Point, Prompt, ThingPrompt, checked
from suffice.masks.semantic.semantic_map import SemanticMap, enhanced
from suffice.masks.settle_found import settle_found
from suffice.masks.steps import parse_step, take_steps
from suffice.media.mask_rle import decode_rle, encode_rle
from suffice.models.protocol import Image

THING_FIELDS = ("points", "box_xyxy", "rle", "label")
PROMPT_FIELDS = ("things", "texts", "box_score_min", "text_score_min", "iou_max", "chosen", "everything")


def models() -> dict[str, list[str]]:
    """Kinds of segmenter and finder that are installed."""
    return {"segmenters": names_of(SEGMENTERS), "finders": names_of(FINDERS)}


def predict(
    image: Image,
    request: Mapping[str, Any],
    segmenter: Segmenter,
    finder: Finder | None = None,
    embeddings: Embeddings | None = None,
    steps: Sequence[str] = (),
) -> dict[str, Any]:
    """Masks for a prompt (:func:`prompt_from`): ``{"objects": […]}``, each with its candidates.

    Args:
        steps: done to every mask, in order, such as ``grow=4``.
    """
    parsed = [parse_step(step) for step in steps]
    things = ask(image, prompt_from(request), segmenter, finder, embeddings)
    return {"objects": [_with_candidates(thing) for thing in stepped(things, parsed)]}


def find(image: Image, request: Mapping[str, Any], finder: Finder) -> dict[str, Any]:
    """Boxes for words, without masks: ``{"boxes": [{"number", "box_xyxy", "score", "label", "asked"}]}``.

    The numbers are those that ``chosen`` of a later :func:`predict` means.
    """
    prompt = checked(prompt_from(request), image.shape[1], image.shape[0])
    if not prompt.texts:
        raise UsageError("no text to look for")
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


def change(rle: Mapping[str, Any], steps: Sequence[str]) -> dict[str, Any]:
    """A mask after steps: ``{"rle", "area"}``."""
    mask = take_steps(decode_rle(rle), [parse_step(step) for step in steps])
    return {"rle": encode_rle(mask), "area": int(np.count_nonzero(mask))}


def semantic(found: SemanticMap, rles: Sequence[Mapping[str, Any]] = (), majority_min: float = 0.0) -> dict[str, Any]:
    """A map, sharpened by masks when there are any: ``{"areas", "masks": {name: rle}}``."""
    sharper = enhanced(found, [decode_rle(rle) for rle in rles], majority_min) if rles else found
    areas = sharper.areas()
    return {"areas": areas, "masks": {name: encode_rle(sharper.category(name)) for name in areas}}


def category(found: SemanticMap, include: str, exclude: str = "") -> dict[str, Any]:
    """The mask of some classes of a map: ``{"rle", "area"}``."""
    mask = found.category(include, exclude)
    return {"rle": encode_rle(mask), "area": int(np.count_nonzero(mask))}


def prompt_from(request: Mapping[str, Any]) -> Prompt:
    """A prompt of plain data: :data:`PROMPT_FIELDS`, each of ``things`` with :data:`THING_FIELDS`.

    ``points`` are ``[x, y]`` or ``[x, y, 1 or 0]``, ``box_xyxy`` four numbers, ``rle`` a mask from before.

    Raises:
        UsageError: a field nobody knows, or of another form; the message names it.
    """
    _check_fields("the prompt", request, PROMPT_FIELDS)
    try:
        return Prompt(
            things=tuple(_thing(each) for each in request.get("things", ())),
            texts=tuple(str(text) for text in request.get("texts", ())),
            box_score_min=request.get("box_score_min"),
            text_score_min=request.get("text_score_min"),
            iou_max=float(request.get("iou_max", 0.7)),
            chosen=None if request.get("chosen") is None else tuple(int(number) for number in request["chosen"]),
            everything=bool(request.get("everything", False)),
        )
    except (TypeError, ValueError, IndexError) as error:
        raise UsageError(f"the prompt is not of the form it must have: {error}") from None


def _thing(given: Mapping[str, Any]) -> ThingPrompt:
    _check_fields("a thing of the prompt", given, THING_FIELDS)
    box = given.get("box_xyxy")
    return ThingPrompt(
        points=tuple(Point(float(p[0]), float(p[1]), len(p) < 3 or bool(p[2])) for p in given.get("points", ())),
        box_xyxy=None if box is None else (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        mask=decode_rle(given["rle"]) if given.get("rle") else None,
        label=str(given.get("label", "")),
    )


def _check_fields(what: str, given: Mapping[str, Any], known: Sequence[str]) -> None:
    if not isinstance(given, Mapping):
        raise UsageError(f"{what} is an object with {', '.join(known)}")
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"; it has {', '.join(known)}"
            raise UsageError(f"{what} has no field {name!r}{hint}")


def _with_candidates(thing: FoundThing) -> dict[str, Any]:
    candidates = [{"rle": encode_rle(each.mask), "score": round(each.score, 4)} for each in thing.candidates]
    return {**thing.as_json(), "candidates": candidates, "best": thing.best}
