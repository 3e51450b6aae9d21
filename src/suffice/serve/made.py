"""Where what the server makes is kept: ``made/JOB.SUFFIX`` in the first root, and how callers get it."""

from __future__ import annotations

from pathlib import Path

from suffice.serve.settings import ServeSettings

FOLDER = "made"


def made_path(settings: ServeSettings, name: str) -> Path:
    """The file of that name; its folder is made."""
    folder = settings.roots[0] / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def made_url(path: str | Path) -> str:
    """Where a caller finds a file that was made."""
    return f"/api/made/{Path(path).name}"
