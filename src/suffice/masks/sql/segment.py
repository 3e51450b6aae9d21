"""``segment(image, 'person')`` and ``segment(image, [x0, y0, x1, y1])``: things with their masks, as rows."""

from __future__ import annotations

from functools import partial
from typing import Any

from suffice.errors import SufficeError
from suffice.masks.ask import ask
from suffice.masks.backend import Finder, Segmenter
from suffice.masks.sql.asked import prompt_of
from suffice.masks.sql.mask_text import mask_text
from suffice.masks.sql.parts import parts_of, versions_of
from suffice.models.batch_model import BatchModel
from suffice.models.onnx_session import concurrency
from suffice.models.protocol import IMAGE, Column, Image, Model, Row, Signature

BOX_COLUMNS = tuple(Column(name, "DOUBLE") for name in ("x0", "y0", "x1", "y1"))
OUTPUTS = (
    Column("object_id", "INTEGER"),
    Column("label", "VARCHAR"),
    Column("score", "DOUBLE"),
    *BOX_COLUMNS,
    Column("area", "INTEGER"),
    Column("mask", "VARCHAR"),
)
INPUTS = (Column("image", IMAGE), Column("what", "VARCHAR"))


def segment(**options: Any) -> Model:
    """A row a thing: its number from 0, label, score, the box around its mask, the mask's pixels, and the mask.

    The second argument is a word (or several between full stops), a box ``[x0, y0, x1, y1]``, or ``'everything'``. The
    mask is text, COCO's run lengths as JSON with the area beside them: ``mask_area(mask)`` reads it,
    ``cut(image, mask)`` is the picture of what is under it.

    Options: ``model`` (a segmenter), ``finder``, ``min_score`` of found boxes.
    """
    parts = parts_of("segment", options)
    signature = Signature(
        name="segment",
        version=versions_of(parts),
        inputs=INPUTS,
        outputs=OUTPUTS,
        returns="rows",
        options=dict(options),
        batch_size=4,
        concurrency=concurrency() if parts.is_light else 1,
        cost_s=0.5,
    )
    answer = partial(_rows, parts.segmenter, parts.finder, parts.min_score)
    return BatchModel(signature, lambda image, what: (image, what), lambda batch: [answer(*each) for each in batch])


def _rows(
    segmenter: Segmenter, finder: Finder, min_score: float | None, image: Image, what: str
) -> list[Row] | Exception:
    try:
        things = ask(image, prompt_of(what, min_score), segmenter, finder)
    except SufficeError as error:
        return error
    return [
        (index, thing.label, thing.score, *map(float, thing.box_xyxy), thing.area, mask_text(thing.mask))
        for index, thing in enumerate(things)
    ]
