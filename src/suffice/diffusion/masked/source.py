"""Masks a frame, from a picture, a folder, a video, run lengths, or the track of things."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from suffice.diffusion.clip.source import open_source
from suffice.errors import MediaError, UsageError
from suffice.media.image import Image
from suffice.media.mask_rle import Mask, decode_rle

MaskAt = Callable[[int], Mask]
_HALF = 128


def open_masks(where: str | Mapping[str, Any] | Sequence[Mapping[str, Any]], width: int, height: int) -> MaskAt:
    """The mask of each frame, each ``[height, width]``.

    Args:
        where: a picture (white is painted) for all frames; a folder of pictures or a video, one a frame; a file with
            JSON or JSON lines; or run lengths themselves (COCO's ``{"size", "counts"}``), one or one a frame.
            ``MAP.png#b47878`` takes what has that colour in a semantic map.
            In a track file every object has ``frame`` (or ``frame_index``) and ``rle``; what a frame does not have is
            not painted. ``FILE#person`` or ``FILE#3`` takes only the objects of that label or id.
        width: of the clip.
        height: of the clip.

    Raises:
        UsageError: a mask of another size, or a file that is no track.
        MediaError: there is no such file, or it has fewer masks than are asked for.
    """
    if isinstance(where, Mapping):
        return _sized(_track([where], None, "the mask"), width, height, "the mask")
    if not isinstance(where, str):
        numbered = [{"frame": number, "rle": rle} for number, rle in enumerate(where)]
        return _sized(_track(numbered, None, "the masks"), width, height, "the masks")
    if where.lstrip().startswith("{"):
        return open_masks(_json(where, "the mask"), width, height)
    name, _, only = where.partition("#")
    if Path(name).suffix.lower() in (".json", ".jsonl"):
        return _sized(_track(track_rows(Path(name)), only or None, name), width, height, where)
    source = open_source(name if only and not Path(where).exists() else where)
    seen = _of_colours(only) if source.where != where else _bright

    def at(frame: int) -> Mask:
        if source.count is not None and frame >= source.count:
            raise MediaError(f"{where!r} has {source.count} masks, but the clip goes on to frame {frame}")
        return seen(source.one(frame))

    return _sized(at, width, height, where)


def _bright(image: Image) -> Mask:
    found: Mask = image.max(axis=2) >= _HALF
    return found


def _of_colours(text: str) -> Callable[[Image], Mask]:
    """What has one of the colours ``RRGGBB+RRGGBB``, as a class has in a semantic map."""
    try:
        colours = [tuple(bytes.fromhex(part)) for part in text.split("+")]
    except ValueError:
        raise UsageError(f"{text!r} is no colour of a map: RRGGBB, or more of them joined by +") from None
    return lambda image: np.logical_or.reduce([(image == colour).all(axis=2) for colour in colours])


def _sized(at: MaskAt, width: int, height: int, where: str) -> MaskAt:
    def checked(frame: int) -> Mask:
        mask = at(frame)
        if mask.size == 0:
            return np.zeros((height, width), bool)
        if mask.shape != (height, width):
            raise UsageError(
                f"{where} is {mask.shape[1]} x {mask.shape[0]} at frame {frame}, the picture {width} x {height}"
            )
        return mask

    return checked


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from None


def track_rows(path: Path) -> list[Mapping[str, Any]]:
    """One object a row, whether the file is one JSON value or a line of JSON each."""
    if not path.is_file():
        raise MediaError(f"there is no track {str(path)!r}")
    text = path.read_text("utf-8")
    lines = text.strip().splitlines()
    if path.suffix.lower() == ".jsonl":
        return [row for line in lines for row in _flat(_json(line, str(path)), {})]
    return _flat(_json(text, str(path)), {})


def _flat(value: Any, outer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Objects may lie in lists under ``objects`` or ``frames``, the frame's number beside such a list."""
    if isinstance(value, list):
        return [row for number, each in enumerate(value) for row in _flat(each, {"frame": number, **outer})]
    if not isinstance(value, Mapping):
        return []
    frame = value.get("frame_index", value.get("frame"))
    known = {**outer, **({"frame": frame} if isinstance(frame, int) else {})}
    for inside in ("frames", "objects", "tracks", "masks"):
        if isinstance(value.get(inside), list):
            numbered = inside in ("frames", "masks")
            rows = [
                _flat(each, {**({"frame": n} if numbered else {}), **known}) for n, each in enumerate(value[inside])
            ]
            return [{**{k: value[k] for k in ("id", "label") if k in value}, **row} for part in rows for row in part]
    return [{**value, **known}]


def _track(rows: Sequence[Mapping[str, Any]], only: str | None, where: str) -> MaskAt:
    by_frame: dict[int | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        if only is None or only in (str(row.get("id")), row.get("label")):
            rle = row.get("rle") or row.get("mask") or (row if "counts" in row else None)
            if not isinstance(rle, Mapping):
                raise UsageError(f"{where}: an object without 'rle': {str(dict(row))[:80]}")
            by_frame.setdefault(row.get("frame"), []).append(rle)
    if not by_frame:
        raise UsageError(f"{where} has no object{f' {only!r}' if only else ''}")

    def at(frame: int) -> Mask:
        found = [*by_frame.get(frame, []), *by_frame.get(None, [])]
        masks = [decode_rle(rle) for rle in found]
        return np.logical_or.reduce(masks) if masks else np.zeros((0, 0), bool)

    return at
