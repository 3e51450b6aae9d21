"""Whether a number's square is one of the number's own type: several times faster in DuckDB than as doubles."""

from __future__ import annotations

import re

_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_INTEGERS = {"INTEGER": 31, "BIGINT": 63}
_DIGITS = 18
"""Of decimals that are whole numbers of 64 bits inside; DuckDB multiplies two of them to a third."""


def square_fits(type_name: str, size_max: float) -> bool:
    """Of any value of `type_name` no further from 0 than `size_max`; False where that is not clear."""
    if bits := _INTEGERS.get(type_name):
        return 2 * size_max**2 < 2.0**bits
    if found := _DECIMAL.fullmatch(type_name):
        width, scale = int(found[1]), int(found[2])
        return width <= _DIGITS and 2 * scale < _DIGITS and 2 * (size_max * 10.0**scale) ** 2 < 10.0**_DIGITS
    return False
