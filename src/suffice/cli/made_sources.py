"""Sources of a clip that other rooms make first: a query's pictures, a track in colours, a class of a semantic map.

`query:SELECT …` stands for the pictures in the first column of its answer, `seg:TRACK.jsonl` for the track in the
colours that segmentation ControlNets know, and `MAP.png#sky:PROMPT` for a region that a class of such a map fills.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.diffusion.settings import Settings
    from suffice.media.image import Image

QUERY = "query:"
_TRACKS = (".json", ".jsonl")


def with_made_sources(settings: Settings, out: Path) -> Settings:
    """`settings` that name files only; what is made for them lies in folders beside `out`.

    Raises:
        UsageError: a query answers no picture, or a track or a map has no such class.
    """

    def made(what: str) -> Path:
        return out.with_name(f"{out.stem}_{what}")

    return replace(
        settings,
        init=_pictures(settings.init, settings.frames, made("init")),
        mask=_pictures(settings.mask, settings.frames, made("mask")),
        control=tuple(_control(text, settings.frames, made(f"control{n}")) for n, text in enumerate(settings.control)),
        regions=tuple(_region(text) for text in settings.regions),
    )


def _control(text: str, frames: int, folder: Path) -> str:
    kind, _, source = text.partition(":")
    if source.startswith(QUERY):
        query, ended, strength = source.partition(";")  # a query has = of its own: a strength stands after its end
        return f"{kind}:{_pictures(query, frames, folder)}{strength if ended else ''}"
    name, _, strength = source.partition("=")
    if kind != "seg" or Path(name.partition("#")[0]).suffix.lower() not in _TRACKS:
        return text
    _save(_coloured_track(name, frames), folder)
    return f"seg:{folder}" + (f"={strength}" if strength else "")


def _pictures(source: str, frames: int, folder: Path) -> str:
    """The folder of a query's pictures; another source as it is."""
    if not source.startswith(QUERY):
        return source
    from suffice.connection import connect

    with connect() as con:
        result = con.sql(source.removeprefix(QUERY))
        references = [row[0] for row in result.fetchall()[:frames]]
        if not references or not all(isinstance(each, str) and ":" in each for each in references):
            raise UsageError(f"the first column of {source!r} has no pictures: SELECT f.image FROM frames('a.mp4') f")
        _save((result.image(each) for each in references), folder)
    return str(folder)


def _save(pictures: Iterable[Image], folder: Path) -> None:
    from suffice.masks.picture_files import save_picture

    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()
    for number, picture in enumerate(pictures):
        save_picture(folder / f"{number:05}.png", picture)


def _coloured_track(where: str, frames: int) -> Iterable[Image]:
    """Every frame of a track: large things first, so that none hides behind another."""
    import numpy as np

    from suffice.diffusion.masked.source import track_rows
    from suffice.media.mask_rle import decode_rle

    name, _, only = where.partition("#")
    rows = [row for row in track_rows(Path(name)) if not only or only in (str(row.get("id")), row.get("label"))]
    if not rows:
        raise UsageError(f"{name} has no object {only!r}" if only else f"{name} has no object")
    things = [(row.get("frame"), _colour(row), decode_rle(row["rle"])) for row in rows]
    for frame in range(frames):
        picture = np.zeros((*things[0][2].shape, 3), np.uint8)
        seen = [(mask, colour) for number, colour, mask in things if number in (frame, None)]
        for mask, colour in sorted(seen, key=lambda thing: -int(thing[0].sum())):
            picture[mask] = colour
        yield picture


def _colour(row: Any) -> tuple[int, int, int]:
    from suffice.masks.semantic.label_tables import ADE20K
    from suffice.masks.semantic.palette import ADE20K_RGB
    from suffice.media.mask_draw import colour_rgb

    label = str(row.get("label") or "")
    return ADE20K_RGB[ADE20K.index(label)] if label in ADE20K else colour_rgb(int(row.get("id") or 0))


def _region(text: str) -> str:
    """A class of a map by its name, as the colour that it has there."""
    mask, found, prompt = text.partition(":")
    name, _, wanted = mask.partition("#")
    if not found or not wanted or Path(name).suffix.lower() in _TRACKS or _is_colour(wanted):
        return text
    from suffice.masks.semantic.label_tables import ADE20K, class_ids
    from suffice.masks.semantic.palette import ADE20K_RGB

    colours = "+".join("{:02x}{:02x}{:02x}".format(*ADE20K_RGB[each]) for each in class_ids(wanted, ADE20K))
    return f"{name}#{colours}:{prompt}"


def _is_colour(text: str) -> bool:
    return all(len(part) == 6 and set(part.lower()) <= set("0123456789abcdef") for part in text.split("+"))
