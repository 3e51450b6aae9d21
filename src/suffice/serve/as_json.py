"""Values of an answer as JSON has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.answer.pictures import picture_columns
from suffice.models.plain import plain

if TYPE_CHECKING:
    from suffice.answer.result import Result

ROWS_SHOWN = 200


def result_json(result: Result, rows: int = ROWS_SHOWN) -> dict[str, Any]:
    """An answer's first rows, its guarantee and its work."""
    head = result.head(rows)
    return {
        "columns": result.columns,
        "pictures": picture_columns(result.columns, head),
        "rows": plain(head),
        "row_count": len(result),
        "guarantee": plain(result.guarantee.as_json()) if result.guarantee else None,
        "promise": str(result.guarantee) if result.guarantee else None,
        "work": plain(result.work.as_json()),
        "summary": str(result.work),
    }
