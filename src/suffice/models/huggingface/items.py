"""Prepared inputs, and running them in batches whose members cannot touch each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Answer = TypeVar("Answer")


class Item(NamedTuple):
    """One input: arrays for the model's forward, first axis 1 (or this input's queries), and what reading needs."""

    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Any = None


def run_in_groups(
    items: Sequence[Item], run: Callable[[dict[str, npt.NDArray[Any]], list[Item]], Sequence[Answer]]
) -> list[Answer]:
    """`run` on stacked arrays, once for each set of equal shapes; answers in the order of `items`.

    Nothing is padded to its neighbours' size, so the answer to an input does not depend on its batch, which a
    cache of answers takes for granted.
    """
    groups: dict[tuple[Any, ...], list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(tuple((name, value.shape) for name, value in item.arrays.items()), []).append(index)
    answers: dict[int, Answer] = {}
    for indices in groups.values():
        members = [items[index] for index in indices]
        stacked = {name: np.concatenate([each.arrays[name] for each in members]) for name in members[0].arrays}
        answers.update(zip(indices, run(stacked, members), strict=True))
    return [answers[index] for index in range(len(items))]
