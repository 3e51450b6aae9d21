"""Which columns of an answer are pictures, and the pictures themselves, boxes drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from suffice.media.reference import is_reference

if TYPE_CHECKING:
    from suffice.answer.result import Result
    from suffice.models.protocol import Image

BOX = ("x0", "y0", "x1", "y1")


def picture_columns(columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> list[int]:
    """Positions of the columns that hold image references."""
    return [
        i
        for i in range(len(columns))
        if any(row[i] is not None for row in rows) and all(row[i] is None or is_reference(row[i]) for row in rows)
    ]


def box_of(columns: Sequence[str], row: tuple[Any, ...]) -> tuple[float, ...] | None:
    """The row's box (columns x0, y0, x1, y1), if it has one."""
    lowered = [column.lower() for column in columns]
    if not all(name in lowered for name in BOX):
        return None
    box = tuple(row[lowered.index(name)] for name in BOX)
    return None if any(value is None for value in box) else box


def label_of(columns: Sequence[str], row: tuple[Any, ...]) -> str:
    """What to write on the row's box: its label and score, as far as there are such columns."""
    values = dict(zip((column.lower() for column in columns), row, strict=True))
    label, score = values.get("label"), values.get("score")
    return " ".join(
        str(part) for part in (label, f"{score:.2f}" if isinstance(score, float) else None) if part is not None
    )


def picture(result: Result, row: tuple[Any, ...], column: int, max_side_px: int) -> Image:
    """The picture of a row, scaled down; its box is drawn in when the picture is the whole one."""
    from suffice.media.write import draw_boxes, thumbnail

    image = result.image(row[column])
    small = thumbnail(image, max_side_px)
    box = box_of(result.columns, row)
    if box is None or "@" in row[column]:
        return small
    # Drawn after scaling, so that lines and letters stay legible.
    scale = small.shape[1] / image.shape[1]
    return draw_boxes(small, [[edge * scale for edge in box]], [label_of(result.columns, row)])
