"""The options a user gave a model, ``model(option => value)``: names, types and ranges checked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from suffice.errors import UsageError, nearest

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Option:
    """What one option may be.

    Attributes:
        default: the value when none is given; None may then be given too.
        low, high: inclusive range of a number; no number may be infinite or NaN.
        kind: bool, int, float, str, dict (a mapping, or the text of a JSON object), ``Literal``, ``tuple[T, ...]`` or
            a union of these; by default the type of `default`.
        in_version: whether another value could give another answer, so that it is part of the cache key.
        required: whether it must be given.
    """

    default: Any = None
    low: float = -math.inf
    high: float = math.inf
    kind: Any = None
    in_version: bool = False
    required: bool = False

    @property
    def hint(self) -> Any:
        return type(self.default) if self.kind is None else self.kind


def read_options(where: str, known: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option that `where` has, with the value given or its default.

    Raises:
        UsageError: an option that there is not, one that is needed, a value of the wrong type or out of range.
    """
    _check_names(where, known, given)
    return {name: _read(where, name, option, given.get(name, option.default)) for name, option in known.items()}


def read_settings(kind: type[Settings], where: str, given: Mapping[str, Any]) -> Settings:
    """As :func:`read_options`, for the fields of the dataclass `kind`; each is an option of its annotation."""
    known = {name: Option(kind=hint) for name, hint in get_type_hints(kind).items()}
    _check_names(where, known, given)
    return kind(**{name: _fitted(where, name, known[name], value) for name, value in given.items()})


def plain_settings(settings: Any, *leave_out: str) -> dict[str, Any]:
    """The fields of a settings dataclass as a mapping for :attr:`Signature.options`, without `leave_out` and None."""
    fields = dataclasses.asdict(settings).items()
    return {name: value for name, value in fields if name not in leave_out and value is not None}


def versioned(options: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """The options that decide the answer, for :attr:`Signature.options`."""
    return {name: value for name, value in options.items() if known[name].in_version and value is not None}


def parsed_json(where: str, text: str) -> Any:
    """The JSON value in `text`, or a :class:`UsageError` that says where it breaks."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from None


def one_of(names: Iterable[str]) -> Any:
    """The kind of an option that takes one of `names`."""
    return Literal.__getitem__(tuple(names))


def _check_names(where: str, known: Mapping[str, Option], given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in known:
            listing = f"; its options are {', '.join(known)}" if known else "; it takes none"
            raise UsageError(f"{where} has no option {name!r}{nearest(name, known) or listing}")


def _read(where: str, name: str, option: Option, value: Any) -> Any:
    if value is None and option.default is None:
        if option.required:
            raise UsageError(f"{where}: option {name} is needed")
        return None
    return _fitted(where, name, option, value)


def _fitted(where: str, name: str, option: Option, value: Any) -> Any:
    if dict in _kinds(option.hint) and isinstance(value, str):
        value = parsed_json(f"{where}: option {name}", value)
    for kind in _kinds(option.hint):
        plain = _number(kind, value)
        if _is(kind, plain) and _is_inside(option, plain):
            return _as(kind, plain)
    choices = [str(choice) for kind in _kinds(option.hint) if get_origin(kind) is Literal for choice in get_args(kind)]
    close = nearest(value, choices) if isinstance(value, str) else ""
    raise UsageError(f"{where}({name} => {repr(value)[:60]}): expected {_words(option.hint)}{_range(option)}{close}")


def _kinds(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _number(kind: Any, value: Any) -> Any:
    """SQL literals such as 0.4 arrive as Decimal, and 5.0 where a whole number is wanted means 5."""
    if not isinstance(value, Decimal) or not value.is_finite():
        return value
    return int(value) if kind is int and value == int(value) else float(value)


def _is(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return isinstance(value, list | tuple) and all(_is(item, _number(item, part)) for part in value)
    if kind in (int, float):  # True is an int to Python but not to a reader
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    return isinstance(value, Mapping if kind is dict else kind)


def _is_inside(option: Option, value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return True
    return math.isfinite(value) and option.low <= value <= option.high


def _as(kind: Any, value: Any) -> Any:
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        return tuple(_as(item, _number(item, part)) for part in value)
    return float(value) if kind is float else value


def _words(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        return f"a list of {_words(parts[0])}"
    if origin in (Union, UnionType):
        return " or ".join(_words(part) for part in parts if part is not NoneType)
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a JSON object"}
    return words[hint]


def _range(option: Option) -> str:
    if option.high < math.inf:
        return f" from {option.low} to {option.high}"
    return f" of at least {option.low:g}" if option.low > -math.inf else ""
