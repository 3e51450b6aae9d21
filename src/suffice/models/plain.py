"""Values as JSON has them."""

from __future__ import annotations

import decimal
import math
from collections.abc import Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Numbers as numbers, one that JSON has no word for as null, bytes as hexadecimal, everything else as text."""
    value = value.tolist() if hasattr(value, "tolist") else value
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case decimal.Decimal():
            return plain(int(value) if value.is_finite() and value == value.to_integral_value() else float(value))
        case bytes() | bytearray():
            return value.hex()
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
    return str(value)
