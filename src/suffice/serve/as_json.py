"""Values of an answer as JSON has them."""

from __future__ import annotations

import decimal
import math
from typing import TYPE_CHECKING, Any

from suffice.answer.pictures import picture_columns

if TYPE_CHECKING:
    from suffice.answer.result import Result

ROWS_SHOWN = 200


def plain(value: Any) -> Any:
    """Numbers as numbers, what is not a number in JSON as null, everything else as text."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes() | bytearray():
            return value.hex()
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return str(value)


def result_json(result: Result, rows: int = ROWS_SHOWN) -> dict[str, Any]:
    """An answer's first rows, its guarantee and its work."""
    head = result.head(rows)
    return {
        "columns": result.columns,
        "pictures": picture_columns(result.columns, head),
        "rows": plain(head),
        "row_count": len(result),
        "guarantee": plain(result.guarantee.as_json()) if result.guarantee else None,
        "work": plain(result.work.as_json()),
        "summary": str(result.work),
    }
