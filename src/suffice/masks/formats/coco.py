"""COCO instances: one JSON file a data set, masks as run lengths, exact."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from suffice.errors import MediaError
from suffice.masks.formats.annotated import AnnotatedPicture, Labelled
from suffice.masks.formats.polygons import fill_polygons
from suffice.media.mask_crop import mask_box
from suffice.media.mask_rle import Mask, decode_rle, encode_rle


def write_coco(pictures: Sequence[AnnotatedPicture], path: Path) -> None:
    """Write `pictures` to `path`; the same pictures give the same bytes."""
    labels = sorted({thing.label for picture in pictures for thing in picture.things})
    content = {
        "images": [
            {"id": number, "file_name": each.file_name, "width": each.width, "height": each.height}
            for number, each in enumerate(pictures, 1)
        ],
        "categories": [{"id": number, "name": label} for number, label in enumerate(labels, 1)],
        "annotations": [
            {"id": number, **annotation} for number, annotation in enumerate(_annotations(pictures, labels), 1)
        ],
    }
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def read_coco(path: Path) -> list[AnnotatedPicture]:
    """What :func:`write_coco` wrote, or any COCO instances: run lengths of both kinds, and polygons.

    Raises:
        MediaError: not such a file; the message says what is missing.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {each["id"]: each["name"] for each in content["categories"]}
        things: dict[int, list[Labelled]] = {each["id"]: [] for each in content["images"]}
        sizes = {each["id"]: (each["height"], each["width"]) for each in content["images"]}
        for each in content["annotations"]:
            mask = _mask(each["segmentation"], sizes[each["image_id"]])
            things[each["image_id"]].append(Labelled(names[each["category_id"]], mask, each.get("score")))
        return [
            AnnotatedPicture(each["file_name"], each["width"], each["height"], tuple(things[each["id"]]))
            for each in content["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise MediaError(f"{str(path)!r} is not a COCO instances file: {type(error).__name__} {error}") from None


def _annotations(pictures: Sequence[AnnotatedPicture], labels: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": number,
            "category_id": labels.index(thing.label) + 1,
            "segmentation": encode_rle(thing.mask),
            "area": int(thing.mask.sum()),
            "bbox": _bbox(thing.mask),
            "iscrowd": 0,
            **({} if thing.score is None else {"score": thing.score}),
        }
        for number, picture in enumerate(pictures, 1)
        for thing in picture.things
    ]


def _bbox(mask: Mask) -> list[int]:
    if not mask.any():
        return [0, 0, 0, 0]
    box = mask_box(mask)
    return [box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0]


def _mask(segmentation: Mapping[str, Any] | Sequence[Sequence[float]], size_hw: tuple[int, int]) -> Mask:
    if isinstance(segmentation, Mapping):
        return decode_rle(segmentation)
    return fill_polygons([list(zip(flat[::2], flat[1::2], strict=True)) for flat in segmentation], size_hw)
