"""Names of classes from an option."""

from __future__ import annotations

from pathlib import Path

from suffice.errors import UsageError


def read_labels(where: str, labels: str | tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """`labels` itself, or the lines of the text file it names, beside the model (in `folder`) or in the working folder.

    Raises:
        UsageError: there is no such file.
    """
    if not isinstance(labels, str):
        return labels
    tried = [folder / Path(labels).expanduser(), Path(labels).expanduser()]
    for path in tried:
        if path.is_file():
            return tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    raise UsageError(f"{where}: no labels file {labels!r} in {folder} nor in {Path.cwd()}")
