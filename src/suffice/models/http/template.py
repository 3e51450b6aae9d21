"""Text and JSON with ``{column}`` placeholders; ``{{`` and ``}}`` are braces."""

from __future__ import annotations

import json
import string
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from suffice.errors import UsageError
from suffice.models.plain import plain


class Part(NamedTuple):
    """A piece of a template: text, or the name of a column."""

    text: str
    is_field: bool


def parse_template(where: str, template: str) -> tuple[Part, ...]:
    """The pieces of a template; raises :class:`UsageError` for anything in braces that is not a bare name."""
    parts: list[Part] = []
    try:
        for text, field, spec, conversion in string.Formatter().parse(template):
            parts += [Part(text, False)] if text else []
            if field is not None:
                if not field.isidentifier() or spec or conversion:
                    raise ValueError(f"{{{field}}} is not a column name")
                parts.append(Part(field, True))
    except ValueError as error:
        raise UsageError(f"{where}: {error} (write {{{{ and }}}} for braces)") from None
    return tuple(parts)


def fields_of(parts: Iterable[Part]) -> tuple[str, ...]:
    """The columns a template names, each once, in order."""
    return tuple(dict.fromkeys(part.text for part in parts if part.is_field))


def parts_of_json(where: str, template: Any) -> tuple[Part, ...]:
    """The pieces of every text inside a JSON template (keys are taken as they are)."""
    if isinstance(template, str):
        return parse_template(where, template)
    items = template.values() if isinstance(template, dict) else template if isinstance(template, list) else ()
    return tuple(part for item in items for part in parts_of_json(where, item))


def fill_json(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its placeholders filled; a text that is one placeholder becomes the value itself."""
    if isinstance(template, dict):
        return {key: fill_json(item, values) for key, item in template.items()}
    if isinstance(template, list):
        return [fill_json(item, values) for item in template]
    if not isinstance(template, str):
        return template
    parts = parse_template("template", template)
    if len(parts) == 1 and parts[0].is_field:
        return values[parts[0].text]
    return "".join(as_text(values[part.text]) if part.is_field else part.text for part in parts)


def as_text(value: Any) -> str:
    """A column value inside a sentence: NULL is nothing, lists and structs are JSON."""
    value = plain(value)
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)
