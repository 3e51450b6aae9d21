"""The files one picture's answer becomes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from suffice.masks.found import FoundThing
from suffice.masks.numbered import numbered_blend
from suffice.media.mask_crop import cut_out, mask_box
from suffice.media.mask_feather import feather
from suffice.media.mask_rle import Mask
from suffice.models.protocol import Image


@dataclass(frozen=True)
class Wanted:
    """Which files to write for each picture.

    Attributes:
        masks: black and white PNGs, one a thing (or three, its candidates).
        cutouts: RGBA PNGs of each thing, cropped to it.
        blend: the picture with every thing in a colour, numbered.
        candidates: 1 or 3 masks a thing.
        padding_px: around a cut-out.
        feather_px: of a cut-out's edge.
    """

    masks: bool = True
    cutouts: bool = True
    blend: bool = True
    candidates: int = 1
    padding_px: int = 0
    feather_px: float = 0.0


def write_picture(image: Image, things: Sequence[FoundThing], folder: Path, stem: str, wanted: Wanted) -> list[Any]:
    """Write the files of `things` to `folder`; gives their JSON objects with the files' paths by kind."""
    folder.mkdir(parents=True, exist_ok=True)
    objects = []
    for thing in things:
        files = _thing_files(image, thing, folder / f"{stem}_{thing.id}", wanted)
        objects.append({**thing.as_json(), "files": files})
    if wanted.blend:
        path = folder / f"{stem}_blend.jpg"
        save_picture(path, numbered_blend(image, things))
        for each in objects:
            each["files"]["blend"] = str(path)
    return objects


def _thing_files(image: Image, thing: FoundThing, base: Path, wanted: Wanted) -> dict[str, str]:
    files: dict[str, str] = {}
    if wanted.masks:
        files["mask"] = save_mask(Path(f"{base}_mask.png"), thing.mask)
        if wanted.candidates > 1:
            for number, candidate in enumerate(thing.candidates):
                files[f"mask_{number}"] = save_mask(Path(f"{base}_mask_{number}.png"), candidate.mask)
    if wanted.cutouts and thing.mask.any():
        alpha = feather(thing.mask, wanted.feather_px) if wanted.feather_px else thing.mask
        box = mask_box(alpha > 0, wanted.padding_px)
        files["cutout"] = save_picture(Path(f"{base}_cutout.png"), cut_out(image, alpha, box))
    return files


def save_mask(path: Path, mask: Mask) -> str:
    """A PNG, white where the thing is."""
    return save_picture(path, mask.astype(np.uint8) * 255)


def save_picture(path: Path, pixels: np.ndarray) -> str:
    """Write grey, RGB or RGBA pixels by the extension of `path`; the file appears when it is complete."""
    import PIL.Image

    partial = path.with_name(f".{path.stem}.part{path.suffix}")
    options: dict[str, Any] = {"quality": 88} if path.suffix == ".jpg" else {}
    PIL.Image.fromarray(pixels).save(partial, **options)
    os.replace(partial, path)
    return str(path)


def save_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as JSON; the file appears when it is complete."""
    partial = path.with_name(f".{path.name}.part")
    partial.write_text(json.dumps(value, ensure_ascii=False, indent=1), encoding="utf-8")
    os.replace(partial, path)
