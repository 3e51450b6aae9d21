"""The same clip under every combination of a few settings, side by side."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np

from suffice.diffusion.clip.strip import Strip
from suffice.diffusion.settings import NAMES, Settings, settings_from
from suffice.errors import UsageError, nearest
from suffice.media.image import Image

_LABEL_PX = 14
_GAP_PX = 2
_FIXED = ("model", "storage", "fps", "width", "height")
_WHITE, _MISSING = 255, 200


@dataclass(frozen=True)
class Axis:
    """A setting and the values it takes along one side."""

    name: str
    values: tuple[Any, ...]


def read_axis(text: str) -> Axis:
    """``NAME=V1,V2,V3``, or with ``|`` between values that have commas.

    Raises:
        UsageError: no such setting, or a value that it cannot have.
    """
    name, found, rest = text.partition("=")
    if not found or not rest:
        raise UsageError(f"axis {text!r} is not NAME=VALUE,VALUE")
    if name not in NAMES:
        raise UsageError(f"there is no setting {name!r}{nearest(name, NAMES)}")
    if name in _FIXED:
        raise UsageError(f"{name} is one for the whole grid")
    kind = get_type_hints(Settings)[name]
    try:
        return Axis(name, tuple(_value(each, kind) for each in rest.split("|" if "|" in rest else ",")))
    except ValueError as error:
        raise UsageError(f"axis {name}: {error}") from None


def _value(text: str, kind: Any) -> Any:
    if kind is bool:
        return text.strip().lower() in ("1", "true", "yes")
    if kind in (int, float):
        return kind(text)
    return text.strip() if kind is str else (text.strip(),)


def combinations(settings: Settings, axes: Sequence[Axis]) -> list[Settings]:
    """`settings` with every combination of values, the last axis fastest."""
    products = itertools.product(*(axis.values for axis in axes))
    names = [axis.name for axis in axes]
    return [settings_from(dict(zip(names, values, strict=True)), settings) for values in products]


def make_grid(settings: Settings, axes: Sequence[Axis], make: Callable[[Settings], Strip]) -> Iterator[Image]:
    """The frames of a sheet of clips, the first of `axes` across, the second down, a third down in blocks of those;
    each clip has its values written above it.

    Every clip is made before the first frame comes. Interrupted, the clips that are ready stay in the sheet, the others
    are grey, and :class:`KeyboardInterrupt` is raised after the last frame.
    """
    wanted = combinations(settings, axes[::-1])
    clips: list[Strip] = []
    interrupted = False
    try:
        clips.extend(make(each) for each in wanted)
    except KeyboardInterrupt:
        interrupted = True
    if not clips:
        raise KeyboardInterrupt
    labels = [_label(each, axes) for each in wanted]
    for number in range(min(map(len, clips))):
        cells = [clip[number] for clip in clips]
        cells += [np.full_like(cells[0], _MISSING)] * (len(wanted) - len(cells))
        yield _sheet([_labelled(c, label) for c, label in zip(cells, labels, strict=True)], len(axes[0].values))
    if interrupted:
        raise KeyboardInterrupt


def _label(settings: Settings, axes: Sequence[Axis]) -> str:
    shown: Mapping[str, Any] = settings.as_json()
    return "  ".join(f"{axis.name} {shown[axis.name]}" for axis in axes)


def _labelled(image: Image, label: str) -> Image:
    import PIL.Image
    from PIL import ImageDraw, ImageFont

    plate = PIL.Image.new("RGB", (image.shape[1], _LABEL_PX), "white")
    ImageDraw.Draw(plate).text((1, 1), label, fill="black", font=ImageFont.load_default(_LABEL_PX - 4))
    return np.concatenate([np.asarray(plate), image])


def _sheet(cells: Sequence[Image], across: int) -> Image:
    height, width = cells[0].shape[:2]
    padded = [np.pad(c, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)), constant_values=_WHITE) for c in cells]
    rows = [np.concatenate(padded[start : start + across], axis=1) for start in range(0, len(cells), across)]
    sheet: Image = np.concatenate(rows)
    return sheet[: -_GAP_PX or height, : -_GAP_PX or width]
