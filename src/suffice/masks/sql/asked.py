"""The second argument of ``segment`` as a prompt."""

from __future__ import annotations

import re

from suffice.masks.prompt import Prompt, ThingPrompt

_NUMBERS = re.compile(r"\s*[\[({]?\s*(-?[\d.]+(?:\s*,\s*-?[\d.]+){3})\s*[\])}]?\s*")
EVERYTHING = "everything"


def prompt_of(what: str, min_score: float | None) -> Prompt:
    """A box when `what` is four numbers, everything when it says so, else words."""
    numbers = _NUMBERS.fullmatch(what)
    if numbers:
        x0, y0, x1, y1 = (float(part) for part in numbers.group(1).split(","))
        return Prompt(things=(ThingPrompt(box_xyxy=(x0, y0, x1, y1)),))
    if what.strip().lower() == EVERYTHING:
        return Prompt(everything=True)
    return Prompt(texts=(what,), box_score_min=min_score)
