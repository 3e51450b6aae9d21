"""The project file ``suffice.toml``: media, models, roots and budget, as statements would declare them."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from suffice.errors import UsageError, nearest

FILE_NAME = "suffice.toml"
WORDS = {
    "string": "text",
    "boolean": "true or false",
    "object": "a table",
    "array": "a list",
    "integer": "a whole number",
}


@dataclass(frozen=True)
class ProjectMedia:
    """``[media.NAME]``; `pattern` is absolute or a URL, `options` are those of the media table `kind`."""

    name: str
    kind: str
    pattern: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class ProjectModel:
    """``[models.NAME]``; a path in `using` is absolute."""

    name: str
    using: str
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Budget:
    """Limits of one query; None is no limit."""

    max_calls: int | None = None
    max_price: float | None = None
    max_seconds: float | None = None


@dataclass(frozen=True)
class Project:
    """A project file, checked. `roots` is None when the file sets none; `target` is None when it names no store."""

    path: Path
    media: tuple[ProjectMedia, ...]
    models: tuple[ProjectModel, ...]
    roots: tuple[str, ...] | None
    budget: Budget
    target: str | None


def load_project(path: str | Path) -> Project:
    """Read ``suffice.toml``, or the one in the folder `path`.

    Raises:
        UsageError: there is none, it is not TOML, or not what ``suffice.schema.json`` describes; the message
            names the file, the key and the nearest right one.
    """
    path = Path(path).expanduser().resolve()
    path = path / FILE_NAME if path.is_dir() else path
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # bad TOML, or bytes that are not UTF-8
        raise UsageError(f"{path}: not TOML: {error}") from None
    problems = project_problems(content)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UsageError(f"{path}: {problems[0]}{more}")
    return _project(path, content)


def project_statements(project: Project) -> list[str]:
    """The SQL that declares the same models and media; running it again changes nothing."""
    models = [
        f"CREATE OR REPLACE MODEL {each.name} USING {_literal(each.using)}{_options(each)}" for each in project.models
    ]
    views = [
        f'CREATE OR REPLACE VIEW "{each.name}" AS SELECT * FROM {each.kind}('
        + ", ".join([_literal(each.pattern), *_named(each.options)])
        + ")"
        for each in project.media
    ]
    return models + views


def project_problems(content: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parsed file, a line each; empty when nothing is."""
    from jsonschema import Draft202012Validator

    schema = json.loads(files("suffice").joinpath("suffice.schema.json").read_text("utf-8"))
    errors = Draft202012Validator(schema).iter_errors(content)
    return sorted({line for error in errors for line in _explain(error)})


def _explain(error: Any) -> list[str]:
    place = ".".join(map(str, error.absolute_path))
    value, wanted = error.instance, error.validator_value
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = [key for key in value if key not in known]
        options = f"; its keys are {', '.join(known)}"
        return [f"{_table(place)} has no key {key!r}{nearest(key, known) or options}" for key in unknown]
    if error.validator == "required":
        return [f"{_table(place)} lacks the key {key!r}" for key in wanted if key not in value]
    if error.validator == "enum":
        return [f"{place}: expected {' or '.join(map(repr, wanted))}, got {value!r}{nearest(str(value), wanted)}"]
    if error.validator == "type":
        return [f"{place}: expected {WORDS.get(wanted, f'a {wanted}')}, got {value!r}"]
    if error.validator == "pattern":
        return [f"{_table(place)}: {value!r} is not a name: letters, digits and _, no digit first"]
    if error.validator == "not":
        return [f"{place}: this is for kind 'frames' only"]
    if error.validator == "anyOf":
        return [f"{place}: expected text, a number, true or false, a list or a table, got {value!r}"]
    return [f"{place}: {error.message}"]


def _table(place: str) -> str:
    return f"[{place}]" if place else "the file"


def _project(path: Path, content: Mapping[str, Any]) -> Project:
    folder, roots = path.parent, content.get("roots")
    target = content.get("store", {}).get("target")
    media = content.get("media", {}).items()
    models = content.get("models", {}).items()
    return Project(
        path,
        tuple(_media(folder, name, entry) for name, entry in media),
        tuple(ProjectModel(name, _using(folder, each["using"]), each.get("options", {})) for name, each in models),
        None if roots is None else tuple(_absolute(folder, root) for root in roots),
        Budget(**content.get("budget", {})),
        target if target is None or target == ":memory:" else _absolute(folder, target),
    )


def _media(folder: Path, name: str, entry: Mapping[str, Any]) -> ProjectMedia:
    options = {key: value for key, value in entry.items() if key not in ("kind", "pattern")}
    return ProjectMedia(name, entry["kind"], _absolute(folder, entry["pattern"]), options)


def _using(folder: Path, using: str) -> str:
    """`using` with its path, where it has one, absolute: ``onnx:FILE``, ``hf:./FOLDER``, ``python:FILE.py:NAME``."""
    runner, colon, locator = using.partition(":")
    is_path = runner == "onnx" or locator.startswith(("./", "../")) or re.search(r"\.py:\w+$", locator)
    return f"{runner}{colon}{_absolute(folder, locator)}" if is_path and locator else using


def _absolute(folder: Path, place: str) -> str:
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)", place):
        return place
    return str(folder / Path(place).expanduser())


def _options(model: ProjectModel) -> str:
    return f" ({', '.join(_named(model.options))})" if model.options else ""


def _named(options: Mapping[str, Any]) -> Sequence[str]:
    return [f"{name} => {_literal(value)}" for name, value in options.items()]


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{value} is not a number that SQL can write")
    return repr(value)
