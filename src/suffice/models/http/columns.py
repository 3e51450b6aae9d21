"""Column declarations in text, and JSON values as values of those columns."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from suffice.errors import ModelError, UsageError, nearest
from suffice.models.plain import plain
from suffice.models.protocol import IMAGE, Column, Row

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "INT": 32, "BIGINT": 64}
_JSON_TYPE = {
    "VARCHAR": "string",
    "TEXT": "string",
    "BOOLEAN": "boolean",
    "BOOL": "boolean",
    "DOUBLE": "number",
    "FLOAT": "number",
    "REAL": "number",
    **dict.fromkeys(_BITS, "integer"),
}
_PYTHON_TYPE: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "number": (int, float),
    "integer": (int,),
}
_NAME_AND_TYPE = re.compile(r'\s*("?)(\w+)\1\s+(\w+(?:\s*\[\])*)\s*')


def parse_columns(where: str, text: str, extra_types: Sequence[str] = ()) -> list[tuple[Column, str]]:
    """``'label VARCHAR = class.name, score DOUBLE'`` as columns, each with the text after its ``=`` (or '').

    Types are VARCHAR, BOOLEAN, DOUBLE, FLOAT, TINYINT to BIGINT, lists of these (``VARCHAR[]``), and `extra_types`.
    """
    parsed = [_column(where, part, extra_types) for part in _split_at_commas(text)]
    names = [column.name for column, _ in parsed]
    if len(set(names)) < len(names):
        raise UsageError(f"{where} names a column twice: {', '.join(names)}")
    return parsed


def plain_columns(where: str, text: str, extra_types: Sequence[str] = ()) -> tuple[Column, ...]:
    """Like :func:`parse_columns`, of declarations that take no ``=``."""
    parsed = parse_columns(where, text, extra_types)
    for column, path in parsed:
        if path:
            raise UsageError(f"{where}: column {column.name!r} takes no '= {path}'")
    return tuple(column for column, _ in parsed)


def input_columns(where: str, fields: Sequence[str], text: str | None) -> tuple[Column, ...]:
    """The arguments of a model: those declared in `text`, else one a placeholder (``image`` IMAGE, others VARCHAR)."""
    if text is None:
        return tuple(Column(name, IMAGE if name == "image" else "VARCHAR") for name in fields)
    columns = plain_columns(where, text, (IMAGE,))
    names = [column.name for column in columns]
    for field in fields:
        if field not in names:
            raise UsageError(f"{where}: {{{field}}} is not one of the inputs {', '.join(names)}{nearest(field, names)}")
    return columns


def json_schema(columns: Sequence[Column]) -> dict[str, Any]:
    """The JSON schema of an object with these columns, in the subset that strict structured output allows."""
    properties = {name: _schema_of(type_) for name, type_ in columns}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def row_of(values: Mapping[str, Any], columns: Sequence[Column], *, nullable: bool = False) -> Row:
    """One output row from a JSON object; raises :class:`ModelError` for a missing key or a value of another type."""
    for name, _ in columns:
        if name not in values:
            raise ModelError(f"no {name!r} in it{nearest(name, values) or ', but ' + (', '.join(values) or 'nothing')}")
    return tuple(
        None if nullable and values[name] is None else from_json(name, type_, values[name]) for name, type_ in columns
    )


def from_json(name: str, type_: str, value: Any) -> Any:
    """A JSON value as the Python value of a column type; raises :class:`ModelError`."""
    if type_ == "JSON":
        return json.dumps(plain(value))
    if type_.endswith("]") and isinstance(value, list):
        return [from_json(name, type_.rpartition("[")[0], item) for item in value]
    wanted = _PYTHON_TYPE.get(_JSON_TYPE.get(type_, ""), ())
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ModelError(f"{name} is {json.dumps(value)[:80]}, not {type_}")
    if isinstance(value, int) and type_ in _BITS and not -(1 << _BITS[type_] - 1) <= value < 1 << _BITS[type_] - 1:
        raise ModelError(f"{name} is {value}, too large for {type_}")
    return value


def _schema_of(type_: str) -> dict[str, Any]:
    if type_.endswith("[]"):
        return {"type": "array", "items": _schema_of(type_[:-2])}
    return {"type": _JSON_TYPE[type_]}


def _column(where: str, part: str, extra_types: Sequence[str]) -> tuple[Column, str]:
    declaration, _, path = part.partition("=")
    match = _NAME_AND_TYPE.fullmatch(declaration)
    if match is None:
        raise UsageError(f"{where}: {declaration.strip()!r} is not a column name and its type, such as score DOUBLE")
    type_ = re.sub(r"\s", "", match[3]).upper()
    known = [*_JSON_TYPE, *extra_types]
    base = type_.rstrip("[]")
    if base not in known or (base in extra_types and base != type_):
        raise UsageError(f"{where}: column {match[2]!r} is of unknown type {type_}{nearest(base, known)}")
    return Column(match[2], type_), path.strip()


def _split_at_commas(text: str) -> list[str]:
    """Parts between the commas that stand outside brackets and quotes (a path may hold ``max_by(@, &p)``)."""
    parts, depth, quote = [""], 0, ""
    for char in text:
        if quote:
            quote = "" if char == quote else quote
        elif char in "'`\"":
            quote = char
        else:
            depth += (char in "([{") - (char in ")]}")
        if char == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += char
    return parts
