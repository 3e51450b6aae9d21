"""What a trainer is told a picture shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from string import Formatter

from suffice.errors import UsageError, nearest
from suffice.models.protocol import Image

Caption = Callable[[str, Image, Mapping[str, str]], str]
"""Path of the source, the picture, and what is known of it, to its caption."""

FIELDS = ("label", "name", "folder", "tags")
TAGS = 5
TAG_SCORE_MIN = 0.1


def captioner(how: str) -> Caption:
    """``file`` (the .txt beside the picture), ``tags`` (names of what it shows), or a template such as
    ``a photo of {label}, {tags}``.

    Raises:
        UsageError: the template has a field nobody knows.
    """
    if how == "file":
        return _from_file
    if how == "tags":
        return lambda path, image, known: tags_of(image)
    for _, field, _, _ in Formatter().parse(how):
        if field is not None and field not in FIELDS:
            raise UsageError(f"a caption has no field {field!r}{nearest(field, FIELDS)}; it has {', '.join(FIELDS)}")
    return partial(_from_template, how)


def _from_file(path: str, image: Image, known: Mapping[str, str]) -> str:
    beside = Path(path).with_suffix(".txt")
    return beside.read_text(encoding="utf-8").strip() if beside.is_file() else ""


def _from_template(template: str, path: str, image: Image, known: Mapping[str, str]) -> str:
    values = {**known, "name": Path(path).stem, "folder": Path(path).parent.name}
    if "{tags}" in template:
        values["tags"] = tags_of(image)
    return template.format_map({**dict.fromkeys(FIELDS, ""), **values}).strip()


def tags_of(image: Image) -> str:
    """The likeliest of ImageNet's names, likeliest first, between commas."""
    from suffice.models import mobilenet

    [(probabilities, _)] = mobilenet.infer([mobilenet.prepare(image)])
    return ", ".join(name for name, score in mobilenet.ranked(probabilities, TAGS) if score >= TAG_SCORE_MIN)
