"""Finds the files of optional packages without importing them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from suffice.errors import ModelError


def installed_file(model: str, package: str, name: str, extra: str) -> Path:
    """The file `name` inside the installed `package`; :class:`ModelError` saying which extra brings it."""
    path = require(model, package, extra) / name
    if not path.is_file():
        raise ModelError(
            f"{model} needs {name}, which the installed {package} lacks: pip install -U 'suffice[{extra}]'"
        )
    return path


def require(model: str, package: str, extra: str) -> Path:
    """The folder of the installed `package`; :class:`ModelError` saying which extra brings it."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(f"{model} needs the package {package}: pip install 'suffice[{extra}]'")
    return Path(spec.submodule_search_locations[0])
