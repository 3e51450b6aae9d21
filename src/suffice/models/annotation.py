"""Python annotations as columns."""

from __future__ import annotations

import collections.abc
import dataclasses
import datetime
import typing
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import numpy as np

from suffice.models.protocol import IMAGE, Column

SCALARS: dict[Any, str] = {
    str: "VARCHAR",
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    bytes: "BLOB",
    Decimal: "DECIMAL(18,3)",
    datetime.date: "DATE",
    datetime.datetime: "TIMESTAMP",
}
MANY = (
    list,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
)
OUTPUT_NAME = "value"


class Returned(NamedTuple):
    """What a return annotation says; `is_record` where each row is a value with named fields."""

    columns: tuple[Column, ...]
    returns: Literal["scalar", "rows"]
    is_record: bool


def column_type(hint: Any) -> str | None:
    """The DuckDB type for `hint`, None where there is none.

    ``np.ndarray`` and arrays of uint8 are pictures, arrays of other numbers are lists of them.
    """
    hint = _required(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    origin, parts = get_origin(hint), get_args(hint)
    if hint is np.ndarray or origin is np.ndarray:
        return _array_type(parts)
    if origin is Literal:
        types = {SCALARS.get(type(value)) for value in parts}
        return types.pop() if len(types) == 1 else None
    if origin in (list, collections.abc.Sequence) and column_type(parts[0]):
        return f"{column_type(parts[0])}[]"
    if origin is dict and column_type(parts[0]) and column_type(parts[1]):
        return f"MAP({column_type(parts[0])}, {column_type(parts[1])})"
    return None


def batch_item(hint: Any) -> Any:
    """The annotation of one input, from that of a whole batch: ``list[T]`` is of T, an array of its elements."""
    hint = _required(hint)
    if get_origin(hint) in MANY and get_args(hint):
        return get_args(hint)[0]
    kind = array_kind(hint)
    return {"f": float, "i": int, "u": int, "b": bool}.get(kind.kind) if kind is not None else None


def array_kind(hint: Any) -> np.dtype[Any] | None:
    """The dtype that the annotation of a numpy array names, None for any other annotation."""
    hint = _required(hint)
    if get_origin(hint) is not np.ndarray:
        return None
    scalar = get_args(get_args(hint)[1])[0] if len(get_args(hint)) > 1 and get_args(get_args(hint)[1]) else None
    # Any and abstract scalars such as np.floating name no dtype.
    try:
        return np.dtype(scalar) if isinstance(scalar, type) else None
    except TypeError:
        return None


def returned(hint: Any) -> Returned | None:
    """Columns of a return annotation: a scalar, a record (its fields), or a list or iterator of records (rows)."""
    hint = _required(hint)
    if fields := record_columns(hint):
        return Returned(fields, "scalar", True)
    if get_origin(hint) in MANY and get_args(hint):
        item = get_args(hint)[0]
        if fields := record_columns(item):
            return Returned(fields, "rows", True)
        # A list of plain values is one value; only what is consumed once is rows of them.
        if get_origin(hint) not in (list, collections.abc.Sequence):
            kind = column_type(item)
            return Returned((Column(OUTPUT_NAME, kind),), "rows", False) if kind else None
    kind = column_type(hint)
    return Returned((Column(OUTPUT_NAME, kind),), "scalar", False) if kind and kind != IMAGE else None


def record_columns(hint: Any) -> tuple[Column, ...]:
    """A column for each field of a NamedTuple, dataclass or TypedDict; none for another type, or an unknown field."""
    is_record = isinstance(hint, type) and (
        hasattr(hint, "_fields") or dataclasses.is_dataclass(hint) or typing.is_typeddict(hint)
    )
    types = {name: column_type(each) for name, each in get_type_hints(hint).items()} if is_record else {}
    return tuple(Column(name, kind) for name, kind in types.items() if kind) if all(types.values()) else ()


def _required(hint: Any) -> Any:
    """``T`` for ``T | None``."""
    if get_origin(hint) in (Union, UnionType):
        others = [part for part in get_args(hint) if part is not NoneType]
        return others[0] if len(others) == 1 else hint
    return hint


def _array_type(parts: Any) -> str | None:
    if not parts or not get_args(parts[1]) or get_args(parts[1])[0] is Any:
        return IMAGE
    kind = get_args(parts[1])[0]
    if kind is np.uint8:
        return IMAGE
    families = ((np.bool_, "BOOLEAN[]"), (np.integer, "BIGINT[]"), (np.floating, "DOUBLE[]"))
    return next((name for family, name in families if isinstance(kind, type) and issubclass(kind, family)), None)
