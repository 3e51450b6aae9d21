"""What each task hands to the runner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from suffice.models.huggingface.items import Item
from suffice.models.protocol import IMAGE, Column, Row

IMAGE_INPUT = Column("image", IMAGE)
TEXT_INPUT = Column("text", "VARCHAR")
LABEL = (Column("label", "VARCHAR"),)
LABEL_ROWS = (Column("label", "VARCHAR"), Column("score", "DOUBLE"))


class Part(NamedTuple):
    """A task on a checkpoint: its columns, and the two halves of its work, which load what they need when called."""

    inputs: tuple[Column, ...]
    outputs: tuple[Column, ...]
    returns: Literal["scalar", "rows"]
    prepare: Callable[..., Item]
    predict: Callable[[Sequence[Any]], Sequence[list[Row]]]


def detection_rows(found: Sequence[tuple[str, float, Sequence[float]]]) -> list[Row]:
    """Rows of label, score and box, best score first."""
    ordered = sorted(found, key=lambda each: -each[1])
    return [(index, label, score, *box) for index, (label, score, box) in enumerate(ordered)]
