"""``ocr_lines(image)``: the text in a picture, a row a line."""

from __future__ import annotations

from itertools import chain
from typing import Any

from suffice.models.detection_columns import BOX_COLUMNS
from suffice.models.protocol import Column, Model, Row
from suffice.models.rapid_ocr import Line, ocr_model

OUTPUTS = (Column("line_id", "INTEGER"), Column("line", "VARCHAR"), Column("score", "DOUBLE"), *BOX_COLUMNS)


def ocr_lines(**options: Any) -> Model:
    """Lines of text, numbered top to bottom and left to right, each with its box in pixels of the picture.

    Options: ``min_score`` (0 to 1): leave out lines that are less certain.
    Raises :class:`~suffice.errors.ModelError` without the extra ``documents``.
    """
    return ocr_model("ocr_lines", OUTPUTS, "rows", _read, options)


def _read(rows: list[list[Line]]) -> list[Row]:
    lines = chain.from_iterable(rows)
    return [(number, line.text, line.score, *line.box_xyxy) for number, line in enumerate(lines)]
