"""The order in which a page's pieces of text are read."""

from __future__ import annotations

from collections.abc import Sequence

Box = Sequence[float]
"""x0, y0, x1, y1."""


def reading_order(boxes_xyxy: Sequence[Box]) -> list[list[int]]:
    """Indices of the boxes, row by row from the top, each row from the left.

    A box joins the row above it when both share half the height of the taller one; columns are read across.
    """
    rows: list[list[int]] = []
    for index in sorted(range(len(boxes_xyxy)), key=lambda index: boxes_xyxy[index][1]):
        if not rows or not _side_by_side(boxes_xyxy[rows[-1][0]], boxes_xyxy[index]):
            rows.append([])
        rows[-1].append(index)
    return [sorted(row, key=lambda index: boxes_xyxy[index][0]) for row in rows]


def _side_by_side(one: Box, other: Box) -> bool:
    shared = min(one[3], other[3]) - max(one[1], other[1])
    return shared >= max(one[3] - one[1], other[3] - other[1]) / 2
