"""The options of ``CREATE MODEL … (option => value)``: names, types and ranges checked before anything is sent."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from suffice.errors import UsageError, nearest


@dataclass(frozen=True)
class Option:
    """What one option may be.

    Attributes:
        kind: str, int, float, bool, or dict (a mapping, or the text of a JSON object).
        in_version: whether another value could give another answer, so that it is part of the cache key.
    """

    kind: type
    default: Any = None
    in_version: bool = False
    minimum: float = 0.0
    choices: tuple[str, ...] = ()
    required: bool = False


_ABOVE_ZERO = 1e-6

COMMON = {
    "api_key_env": Option(str),
    "connect_timeout_s": Option(float, 10.0, minimum=_ABOVE_ZERO),
    "timeout_s": Option(float, 60.0, minimum=_ABOVE_ZERO),
    "max_retries": Option(int, 5),
    "retry_time_s": Option(float, 120.0),
    "rate_per_s": Option(float, minimum=_ABOVE_ZERO),
    "concurrency": Option(int, 8, minimum=1),
    "max_calls": Option(int),
    "max_price": Option(float),
    "price_per_input": Option(float, 0.0),
}
"""Options of every HTTP model."""

TOKENS = {
    "tokens_per_minute": Option(float, minimum=_ABOVE_ZERO),
    "price_per_million_input_tokens": Option(float, 0.0),
    "price_per_million_output_tokens": Option(float, 0.0),
}
"""Options of models that count tokens."""

MAX_SIDE_PX = Option(int, in_version=True, minimum=16)


def read_options(where: str, given: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """Every known option with the value given or its default; raises :class:`UsageError`."""
    for name in given:
        if name not in known:
            raise UsageError(
                f"{where} has no option {name!r}{nearest(name, known) or '; it takes ' + ', '.join(known)}"
            )
    return {name: _read(f"{where}: option {name}", option, given.get(name)) for name, option in known.items()}


def versioned(options: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """The options that decide the answer, for :attr:`Signature.options`."""
    return {name: value for name, value in options.items() if known[name].in_version and value is not None}


def _read(where: str, option: Option, value: Any) -> Any:
    if value is None:
        if option.required:
            raise UsageError(f"{where} is needed")
        return option.default
    value = _typed(where, option.kind, value)
    if option.choices and value not in option.choices:
        raise UsageError(
            f"{where} is {value!r}, not one of {', '.join(option.choices)}{nearest(value, option.choices)}"
        )
    if option.kind in (int, float) and not option.minimum <= value < math.inf:
        raise UsageError(f"{where} is {value!r}, below {option.minimum:g} or without bound")
    return value


def _typed(where: str, kind: type, value: Any) -> Any:
    if kind is dict and isinstance(value, str):
        value = parsed_json(where, value)
    if isinstance(value, Decimal):  # how SQL literals such as 0.5 arrive
        value = int(value) if kind is int and value == int(value) else float(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {str: "text", int: "a whole number", float: "a number", bool: "true or false", dict: "a JSON object"}
        raise UsageError(f"{where} is {str(value)[:60]!r}, not {words[kind]}")
    return value


def parsed_json(where: str, text: str) -> Any:
    """The JSON value in `text`, or a :class:`UsageError` that says where it breaks."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from None
