"""A training set from pictures: the same input gives the same files and the same manifest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from suffice.errors import SufficeError, UsageError
from suffice.masks.ask import ask
from suffice.masks.combine import union
from suffice.masks.crew import Workshop
from suffice.masks.dataset.buckets import Bucket, bucket_for, fill
from suffice.masks.dataset.captions import Caption
from suffice.masks.dataset.duplicates import DISTANCE_MAX, difference_hash, nearest_duplicate
from suffice.masks.dataset.quality import quality_of
from suffice.masks.dataset.report import report_html
from suffice.masks.picture_files import save_json, save_picture
from suffice.masks.prompt import Prompt
from suffice.media.image import decode_image
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask
from suffice.media.reference import Box
from suffice.models.protocol import Image

MANIFEST, LINES, REPORT = "manifest.json", "manifest.jsonl", "report.html"
SHAPES = ("keep", "thing", "square", "bucket")


@dataclass(frozen=True)
class Source:
    """A picture to begin with.

    Attributes:
        name: tells it from the others, wherever the whole lies.
        load: gets its pixels.
        path: of its file, where it has one.
    """

    name: str
    load: Callable[[], Image]
    path: str = ""


@dataclass(frozen=True)
class Recipe:
    """What to make of each picture.

    Attributes:
        caption: what to write beside it.
        thing: a word; pictures without such a thing are left out, and crops are around it.
        ground: ``keep`` what is around the thing, or make it ``white``, ``grey`` or ``transparent``.
        shape: ``keep`` the picture's, the ``thing``'s box, a ``square``, or the nearest aspect ``bucket``.
        base_px: side of the square, or of a bucket's square root.
        padding_share: around the thing, of its longer side.
        min_side_px: smaller pictures are left out.
        distance_max: of near-duplicates, in bits of 64; -1 keeps all.
    """

    caption: Caption
    thing: str | None = None
    ground: str = "keep"
    shape: str = "bucket"
    base_px: int = 512
    padding_share: float = 0.1
    min_side_px: int = 64
    distance_max: int = DISTANCE_MAX


@dataclass(frozen=True)
class DatasetAnswer:
    """Where the manifest is, how many examples it has, and what was left out and why."""

    manifest: str
    count: int
    dropped: list[dict[str, str]]
    digest: str


def build(sources: Iterable[Source], recipe: Recipe, workshop: Workshop, out: Path) -> DatasetAnswer:
    """Write examples, captions, manifest and quality page to `out`.

    Raises:
        UsageError: the recipe contradicts itself.
    """
    if recipe.ground != "keep" and recipe.thing is None:
        raise UsageError(f"a {recipe.ground} ground needs to know the thing to keep: give its word")
    if recipe.shape == "thing" and recipe.thing is None:
        raise UsageError("the shape of the thing needs to know the thing: give its word")
    (out / "images").mkdir(parents=True, exist_ok=True)
    examples: list[dict[str, Any]] = []
    dropped: list[dict[str, str]] = []
    hashes: list[int] = []
    for source in sources:
        try:
            image = source.load()
            reason = _unfit(image, recipe, hashes, examples)
            example = None if reason else _example(source, image, recipe, workshop, out)
        except UsageError:
            raise
        except (SufficeError, OSError) as error:
            reason, example = str(error), None
        if example is None:
            dropped.append({"source": source.name, "reason": reason or f"no {recipe.thing} in it"})
        else:
            hashes.append(difference_hash(image))
            examples.append(example)
    return _written(examples, dropped, recipe, out)


def _unfit(image: Image, recipe: Recipe, hashes: list[int], examples: list[dict[str, Any]]) -> str:
    if min(image.shape[:2]) < recipe.min_side_px:
        return f"{image.shape[1]} x {image.shape[0]} is below {recipe.min_side_px} pixels"
    if recipe.distance_max >= 0:
        twin = nearest_duplicate(difference_hash(image), hashes, recipe.distance_max)
        if twin is not None:
            return f"nearly the same as {examples[twin]['source']}"
    return ""


def _example(source: Source, image: Image, recipe: Recipe, workshop: Workshop, out: Path) -> dict[str, Any] | None:
    """One example written; None when the thing is not there."""
    mask, label, score = _thing(image, recipe, workshop)
    if mask is None and recipe.thing is not None:
        return None
    box = _padded(mask, recipe.padding_share) if mask is not None else None
    shaped, cut = _shaped(image, recipe, box)
    pixels = _grounded(shaped, mask, cut, recipe.ground)
    name = hashlib.blake2b(source.name.encode(), digest_size=4).hexdigest()
    stem = f"{Path(source.name).stem}_{name}"
    save_picture(out / "images" / f"{stem}.png", pixels)
    caption = recipe.caption(source.path or source.name, shaped, {"label": label})
    (out / "images" / f"{stem}.txt").write_text(caption + "\n", encoding="utf-8")
    quality = quality_of(shaped, shaped.shape[1] / max(cut.x1 - cut.x0, 1))
    return {
        "file": f"images/{stem}.png",
        "source": source.name,
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "caption": caption,
        "label": label,
        "score": None if score is None else round(score, 4),
        "crop_xyxy": list(cut),
        "source_hash": hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest(),
        "pixels_hash": hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest(),
        "quality": quality._asdict(),
        "complaints": quality.complaints,
    }


def _thing(image: Image, recipe: Recipe, workshop: Workshop) -> tuple[Mask | None, str, float | None]:
    """All things of the word as one mask, with the best one's name and score."""
    if recipe.thing is None:
        return None, "", None
    found = ask(image, Prompt(texts=(recipe.thing,)), workshop.segmenter, workshop.finder)
    mask = union([each.mask for each in found], image.shape[:2])
    return (mask, found[0].label, found[0].score) if mask.any() else (None, "", None)


def _padded(mask: Mask, share: float) -> Box:
    box = mask_box(mask)
    return mask_box(mask, round(share * max(box.x1 - box.x0, box.y1 - box.y0)))


def _shaped(image: Image, recipe: Recipe, box: Box | None) -> tuple[Image, Box]:
    """The picture in its final shape and size, and the part of it that this is."""
    height, width = image.shape[:2]
    if recipe.shape == "keep":
        return image, Box(0, 0, width, height)
    if recipe.shape == "thing":
        assert box is not None
        return np.ascontiguousarray(image[box.y0 : box.y1, box.x0 : box.x1]), box
    if recipe.shape == "square":
        return fill(image, Bucket(recipe.base_px, recipe.base_px), box)
    return fill(image, bucket_for(width, height, recipe.base_px), box)


_GROUNDS = {"white": 255, "grey": 128}


def _grounded(shaped: Image, mask: Mask | None, cut: Box, ground: str) -> np.ndarray[Any, Any]:
    if ground == "keep" or mask is None:
        return shaped
    import PIL.Image

    part = PIL.Image.fromarray(mask[cut.y0 : cut.y1, cut.x0 : cut.x1].astype(np.uint8) * 255)
    alpha = np.asarray(part.resize(shaped.shape[1::-1], PIL.Image.Resampling.BILINEAR))
    if ground == "transparent":
        return np.dstack([shaped, alpha])
    share = alpha[..., None].astype(np.float32) / 255
    return np.rint(shaped * share + _GROUNDS[ground] * (1 - share)).astype(np.uint8)


def _written(examples: list[dict[str, Any]], dropped: list[dict[str, str]], recipe: Recipe, out: Path) -> DatasetAnswer:
    lines = "".join(json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in examples)
    (out / LINES).write_text(lines, encoding="utf-8")
    digest = hashlib.blake2b(lines.encode(), digest_size=16).hexdigest()
    settings = {k: v for k, v in vars(recipe).items() if k != "caption"}
    save_json(out / MANIFEST, {"count": len(examples), "hash": digest, "recipe": settings, "dropped": dropped})
    (out / REPORT).write_text(report_html(examples, dropped, out), encoding="utf-8")
    return DatasetAnswer(str(out / MANIFEST), len(examples), dropped, digest)


def sources_of(paths: Iterable[str]) -> Iterator[Source]:
    """Picture files, each once, in the order of their names, which are relative to the folder they share."""
    distinct = sorted(set(paths))
    common = os.path.commonpath([os.path.dirname(path) for path in distinct]) if distinct else ""
    for path in distinct:
        yield Source(os.path.relpath(path, common), partial(decode_image, path), path)
