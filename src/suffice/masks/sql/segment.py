"""``segment(image, 'person')`` and ``segment(image, [x0, y0, x1, y1])``: things with their masks, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from suffice.masks.found import FoundThing
from suffice.masks.sql.asking_model import asking_model
from suffice.masks.sql.mask_text import mask_text
from suffice.models.protocol import Column, Image, Model, Row

BOX_COLUMNS = tuple(Column(name, "DOUBLE") for name in ("x0", "y0", "x1", "y1"))
OUTPUTS = (
    Column("object_id", "INTEGER"),
    Column("label", "VARCHAR"),
    Column("score", "DOUBLE"),
    *BOX_COLUMNS,
    Column("area", "INTEGER"),
    Column("mask", "VARCHAR"),
)


def segment(**options: Any) -> Model:
    """A row a thing: its number from 0, label, score, the box around its mask, the mask's pixels, and the mask.

    The second argument is a word (or several between full stops), a box ``[x0, y0, x1, y1]``, or ``'everything'``. The
    mask is text, COCO's run lengths as JSON with the area beside them: ``mask_area(mask)`` reads it,
    ``cut(image, mask)`` is the picture of what is under it.

    Options: ``model`` (a segmenter), ``finder``, ``min_score`` of found boxes.
    """
    return asking_model("segment", OUTPUTS, "rows", _rows, options)


def _rows(_: Image, things: Sequence[FoundThing]) -> list[Row]:
    return [
        (index, thing.label, thing.score, *map(float, thing.box_xyxy), thing.area, mask_text(thing.mask))
        for index, thing in enumerate(things)
    ]
