"""The options of a model as a frozen dataclass: names, types and values checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from suffice.errors import UsageError, nearest

Settings = TypeVar("Settings")


def read_settings(kind: type[Settings], where: str, given: Mapping[str, Any]) -> Settings:
    """An instance of the dataclass `kind` from the options a user gave.

    Fields may be annotated bool, int, float, str, ``Literal``, ``tuple[T, ...]`` and unions of these.

    Raises:
        UsageError: an option without a field of its name, or a value that its annotation does not allow.
    """
    hints = get_type_hints(kind)
    for name in given:
        if name not in hints:
            listing = nearest(name, hints) or f"; its options are {', '.join(hints)}"
            raise UsageError(f"{where} has no option {name!r}{listing}")
    return kind(**{name: _fit(f"{where}, option {name}", hints[name], value) for name, value in given.items()})


def plain_settings(settings: Any, *leave_out: str) -> dict[str, Any]:
    """The fields of a settings dataclass as a mapping for :attr:`Signature.options`, without `leave_out` and None."""
    fields = dataclasses.asdict(settings).items()
    return {name: value for name, value in fields if name not in leave_out and value is not None}


def _fit(where: str, hint: Any, value: Any) -> Any:
    if isinstance(value, Decimal):  # how SQL literals such as 0.4 arrive
        value = int(value) if hint is int and value == int(value) else float(value)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        if _is(kind, value):
            return _as(kind, value)
    choices = [str(choice) for kind in kinds if get_origin(kind) is Literal for choice in get_args(kind)]
    close = nearest(value, choices) if isinstance(value, str) else ""
    raise UsageError(f"{where}: expected {_words(hint)}, got {value!r}{close}")


def _is(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return isinstance(value, (list, tuple)) and all(_is(item, _number(part)) for part in value)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _as(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        return tuple(_as(get_args(kind)[0], _number(part)) for part in value)
    return float(value) if kind is float else value


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        return f"a list of {_words(parts[0])}"
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    return {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[hint]
