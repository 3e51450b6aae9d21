"""What the functions share: a checkpoint that is loaded once, and painted pictures in a folder under their content.

A model's output cannot be a picture yet, so it is the path of one; ``images('FOLDER/*.png')`` reads it back.
"""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.models.options import Option, read_options
from suffice.models.protocol import Image, Row

if TYPE_CHECKING:
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.settings import Settings

REVISION = 1
NUMBERS: Mapping[str, Option] = {
    "seed": Option(0, 0, 2**63 - 1),
    "steps": Option(20, 1, 1000),
    "guidance": Option(7.5, 0, 100),
}
TEXTS: Mapping[str, str] = {"checkpoint": "pocket", "folder": "out/pictures"}


def options_of(model: str, numbers: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Every option of `model`; raises :class:`UsageError` as :func:`~suffice.models.options.read_options` does."""
    texts = {name: str(given.get(name, default)) for name, default in TEXTS.items()}
    return {**texts, **read_options(model, numbers, {k: v for k, v in given.items() if k not in TEXTS})}


@cache
def animator(checkpoint: str) -> Animator:
    """The checkpoint, loaded on first use."""
    from suffice.diffusion.animator import Animator

    return Animator(checkpoint)


def version_of(checkpoint: str) -> str:
    """Of the code and of the content of the checkpoint's files; read once a process."""
    from suffice.diffusion.load import find_folder
    from suffice.errors import SufficeError
    from suffice.models.weights import weights_version

    try:
        folder = find_folder(checkpoint)
    except SufficeError:
        return f"{checkpoint}-{REVISION}"
    return weights_version(REVISION, *sorted(path for path in folder.rglob("*") if path.is_file()))


def painter(
    settings: Callable[..., Settings], folder: str
) -> Callable[[Sequence[Any]], Sequence[list[Row] | Exception]]:
    """Make the picture of each row with `settings`, one at a time; a row that fails has its error instead."""
    lock = threading.Lock()

    def predict(batch: Sequence[Any]) -> Sequence[list[Row] | Exception]:
        with lock:
            return [_row(image, settings(*words), Path(folder)) for image, *words in batch]

    return predict


def _row(image: Image, settings: Settings, folder: Path) -> list[Row] | Exception:
    from suffice.diffusion.clip.source import still
    from suffice.errors import SufficeError

    try:
        clip = animator(settings.model).animate(settings, source=still(image))
        return [(str(save(next(clip.frames), folder)),)]
    except SufficeError as error:
        return error


def save(image: Image, folder: Path) -> Path:
    """`image` as a PNG whose name is its content, so that equal pictures are one file."""
    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(image).save(file, "PNG")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{hashlib.blake2b(file.getvalue(), digest_size=16).hexdigest()}.png"
    path.write_bytes(file.getvalue())
    return path.resolve()
