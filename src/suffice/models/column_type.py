"""Python and numpy values as values of a DuckDB type."""

from __future__ import annotations

import datetime
import re
import reprlib
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any

import duckdb
import numpy as np

from suffice.errors import UsageError
from suffice.media.reference import is_reference
from suffice.models.protocol import IMAGE

Cast = Callable[[Any], Any]
INTEGER_BITS = {
    "tinyint": 8,
    "smallint": 16,
    "integer": 32,
    "bigint": 64,
    "hugeint": 128,
    "utinyint": 8,
    "usmallint": 16,
    "uinteger": 32,
    "ubigint": 64,
    "uhugeint": 128,
}


class CastError(ValueError):
    """The value is not of the type; the message reads ``expected …, got …``."""


def wrong(expected: str, value: Any) -> CastError:
    """The error for `value` where `expected` should be."""
    return CastError(f"expected {expected}, got {' '.join(reprlib.repr(value).split())} ({type(value).__name__})")


@lru_cache(maxsize=1024)
def column_cast(type_name: str) -> Cast:
    """A function from a Python or numpy value to the Python value DuckDB stores as `type_name`; None stays None.

    It raises :class:`CastError` for a value of another type: text is not parsed, a float is not cut to an
    integer, a number is not a BOOLEAN. ``IMAGE`` is the text of an image reference.

    Raises:
        UsageError: DuckDB knows no such type.
    """
    if type_name == IMAGE:
        return _or_null(_cast_image)
    # DuckDB does not know IMAGE, which may stand inside a list or a struct.
    text = re.sub(rf"\b{IMAGE}\b", "VARCHAR", type_name)
    try:
        return _or_null(_build(duckdb.sqltype(text)))
    except duckdb.Error as error:
        raise UsageError(f"{type_name!r} is not a column type: {str(error).splitlines()[0]}") from None


def _or_null(cast: Cast) -> Cast:
    return lambda value: None if value is None else cast(value)


def _build(kind: Any) -> Cast:
    name, text = kind.id, str(kind)
    if name in INTEGER_BITS:
        bits, unsigned = INTEGER_BITS[name], name.startswith("u")
        span = range(0, 1 << bits) if unsigned else range(-(1 << bits - 1), 1 << bits - 1)
        return partial(_cast_integer, text, span)
    if name in ("list", "array"):
        children = dict(kind.children)
        return partial(_cast_list, text, _build(children["child"]), children.get("size"))
    if name == "struct":
        return partial(_cast_struct, text, {key: _or_null(_build(child)) for key, child in kind.children})
    if name == "map":
        children = dict(kind.children)
        return partial(_cast_map, text, _build(children["key"]), _or_null(_build(children["value"])))
    if name in ("float", "double"):
        return partial(_cast_float, text)
    if name == "uuid":
        return str
    return partial(_cast_exact, text, EXACT.get(name, (object,)))


EXACT: Mapping[str, tuple[type, ...]] = {
    "varchar": (str,),
    "boolean": (bool,),
    "blob": (bytes, bytearray, memoryview),
    "decimal": (Decimal, int, float),
    "date": (datetime.date,),
    "timestamp": (datetime.datetime,),
    "timestamp with time zone": (datetime.datetime,),
    "time": (datetime.time,),
    "interval": (datetime.timedelta,),
}


def _cast_image(value: Any) -> str:
    if not is_reference(value):
        raise wrong("IMAGE (the text of an image reference)", value)
    return str(value)


def _cast_float(text: str, value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return float(value)
    raise wrong(text, value)


def _cast_integer(text: str, span: range, value: Any) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or int(value) not in span:
        raise wrong(text, value)
    return int(value)


def _cast_exact(text: str, types: tuple[type, ...], value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, types):
        raise wrong(text, value)
    return plain


def _cast_list(text: str, cast: Cast, size: int | None, value: Any) -> list[Any]:
    values = value.tolist() if isinstance(value, np.ndarray) and value.ndim else value
    if not isinstance(values, (list, tuple)) or (size is not None and len(values) != size):
        raise wrong(text, value)
    # A long vector of floats, the common case, needs no look at each.
    if isinstance(cast, partial) and cast.func is _cast_float and set(map(type, values)) <= {float}:
        return list(values)
    return [None if item is None else cast(item) for item in values]


def _cast_struct(text: str, casts: Mapping[str, Cast], value: Any) -> dict[str, Any]:
    fields = value._asdict() if hasattr(value, "_asdict") else value
    if not isinstance(fields, Mapping) or set(fields) != set(casts):
        raise wrong(text, value)
    return {key: cast(fields[key]) for key, cast in casts.items()}


def _cast_map(text: str, key_cast: Cast, value_cast: Cast, value: Any) -> dict[Any, Any]:
    if not isinstance(value, Mapping):
        raise wrong(text, value)
    return {key_cast(key): value_cast(item) for key, item in value.items()}
