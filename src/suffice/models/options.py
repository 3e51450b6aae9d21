"""Checks the options a user gave a model against those it has."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from suffice.errors import UsageError, nearest


class Option(NamedTuple):
    """A numeric option: its default (whose type it must have) and its inclusive range."""

    default: float
    low: float
    high: float


def read_options(model: str, known: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of `model` with the value given or its default.

    Raises:
        UsageError: an option that `model` does not have, a value of the wrong type or out of range.
    """
    for name in given:
        if name not in known:
            raise UsageError(f"{model} has no option {name!r}{nearest(name, known) or _listing(known)}")
    return {name: _read(model, name, option, given.get(name, option.default)) for name, option in known.items()}


def _listing(known: Mapping[str, Option]) -> str:
    return f"; its options are {', '.join(known)}" if known else "; it takes none"


def _read(model: str, name: str, option: Option, value: Any) -> float:
    kind = type(option.default)
    # SQL literals such as 0.4 arrive as Decimal; True is an int to Python but not to a reader.
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    if not is_number or not option.low <= float(value) <= option.high or (kind is int and value % 1):
        what = "a whole number" if kind is int else "a number"
        raise UsageError(f"{model}({name} => {value!r}): expected {what} from {option.low} to {option.high}")
    return kind(value)
