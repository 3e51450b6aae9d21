"""Names of classes from an option."""

from __future__ import annotations

import hashlib
from pathlib import Path

from suffice.errors import UsageError
from suffice.models.roots import check_readable


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
            check_readable(where, path)
            return tuple(line.strip() for line in path.read_text("utf-8").splitlines() if line.strip())
    raise UsageError(f"{where}: no labels file {labels!r} in {folder} nor in {Path.cwd()}")


def labels_identity(labels: tuple[str, ...]) -> str:
    """Short text that tells these names from any others, for :attr:`Signature.options`."""
    text = ", ".join(labels)
    digest = hashlib.blake2b("\n".join(labels).encode(), digest_size=6).hexdigest()
    return f"{text if len(text) <= 40 else f'{text[:40]}…'} ({len(labels)}, {digest})"
