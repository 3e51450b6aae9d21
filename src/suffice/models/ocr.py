"""``ocr(image)``: the text in a picture."""

from __future__ import annotations

from typing import Any

from suffice.models.protocol import Column, Model, Row
from suffice.models.rapid_ocr import Line, ocr_model


def ocr(**options: Any) -> Model:
    """All text, top to bottom, with a newline between rows and a blank between pieces side by side; maybe empty.

    Options: ``min_score`` (0 to 1): leave out lines that are less certain.
    Raises :class:`~suffice.errors.ModelError` without the extra ``documents``.
    """
    return ocr_model("ocr", (Column("text", "VARCHAR"),), "scalar", _read, options)


def _read(rows: list[list[Line]]) -> list[Row]:
    return [("\n".join(" ".join(line.text for line in row) for row in rows),)]
