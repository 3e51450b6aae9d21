"""Weights and clips that ship with the package; PROVENANCE.md has their origin and licence."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path


def asset_path(name: str) -> Path:
    """The file of the packaged asset `name`, such as ``pedestrians.mp4``."""
    with as_file(files(__name__) / name) as path:
        return path
