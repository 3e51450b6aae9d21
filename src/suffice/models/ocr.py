"""``ocr(image)``: the text in a picture."""

from __future__ import annotations

from typing import Any

from suffice.models.protocol import Column, Model, Row
from suffice.models.rapid_ocr import Line, ocr_model


def ocr(**options: Any) -> Model:
    """All lines of text, top to bottom and left to right, separated by newlines; empty when there is none.

    Options: ``min_score`` (0 to 1): leave out lines that are less certain.
    Raises :class:`~suffice.errors.ModelError` without the extra ``documents``.
    """
    return ocr_model("ocr", (Column("text", "VARCHAR"),), "scalar", _read, options)


def _read(lines: list[Line]) -> list[Row]:
    return [("\n".join(line.text for line in lines),)]
