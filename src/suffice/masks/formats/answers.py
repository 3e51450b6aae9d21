"""What ``suffice mask`` wrote to a folder, as a data set."""

from __future__ import annotations

import json
from pathlib import Path

from suffice.errors import MediaError
from suffice.masks.batch import ANSWER_SUFFIX
from suffice.masks.formats.annotated import AnnotatedPicture, Labelled
from suffice.media.mask_rle import decode_rle


def read_answers(folder: Path) -> list[AnnotatedPicture]:
    """The pictures of every ``*.masks.json`` below `folder`, by path.

    Raises:
        MediaError: there is none, or one is not such a file.
    """
    paths = sorted(folder.rglob(f"*{ANSWER_SUFFIX}"))
    if not paths:
        raise MediaError(f"{str(folder)!r} has no answers of suffice mask (*{ANSWER_SUFFIX})")
    return [_read(path) for path in paths]


def _read(path: Path) -> AnnotatedPicture:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        width, height = content["size_wh"]
        things = tuple(
            Labelled(each["label"] or "thing", decode_rle(each["rle"]), each["score"]) for each in content["objects"]
        )
        return AnnotatedPicture(Path(content["path"]).name, width, height, things)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{str(path)!r} is no answer of suffice mask: {type(error).__name__} {error}") from None
