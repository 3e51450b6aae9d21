"""Pascal VOC: SegmentationObject and SegmentationClass as indexed PNGs, boxes and names as XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suffice.errors import MediaError
from suffice.masks.formats.annotated import AnnotatedPicture, Labelled
from suffice.media.mask_crop import mask_box
from suffice.media.mask_draw import colour_rgb

NAMES_FILE = "class_names.txt"
OBJECTS_MAX = 254
VOID = 255


def write_voc(pictures: Sequence[AnnotatedPicture], folder: Path) -> None:
    """Write the four places of the format. A pixel has one owner in it: where things overlap, the later one.

    Raises:
        MediaError: a picture has more things than an 8-bit index can tell apart.
    """
    labels = sorted({thing.label for picture in pictures for thing in picture.things})
    for name in ("SegmentationObject", "SegmentationClass", "Annotations"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / NAMES_FILE).write_text("".join(f"{name}\n" for name in ["_background_", *labels]), encoding="utf-8")
    for picture in pictures:
        _write_picture(picture, labels, folder)


def read_voc(folder: Path) -> list[AnnotatedPicture]:
    """The things of every ``Annotations/*.xml``; masks from ``SegmentationObject``.

    Raises:
        MediaError: a file is missing or does not fit the others.
    """
    files = sorted((folder / "Annotations").glob("*.xml"))
    if not files:
        raise MediaError(f"{str(folder)!r} has no Annotations/*.xml")
    return [_read_picture(path, folder) for path in files]


def _write_picture(picture: AnnotatedPicture, labels: Sequence[str], folder: Path) -> None:
    if len(picture.things) > OBJECTS_MAX:
        raise MediaError(f"{picture.file_name} has {len(picture.things)} things, VOC tells {OBJECTS_MAX} apart")
    objects = np.zeros((picture.height, picture.width), np.uint8)
    classes = np.zeros_like(objects)
    for number, thing in enumerate(picture.things, 1):
        objects[thing.mask] = number
        classes[thing.mask] = labels.index(thing.label) + 1
    stem = Path(picture.file_name).stem
    _save_indexed(objects, folder / "SegmentationObject" / f"{stem}.png")
    _save_indexed(classes, folder / "SegmentationClass" / f"{stem}.png")
    ET.ElementTree(_xml(picture)).write(folder / "Annotations" / f"{stem}.xml", encoding="utf-8")


def _xml(picture: AnnotatedPicture) -> ET.Element:
    root = ET.Element("annotation")
    ET.SubElement(root, "filename").text = picture.file_name
    size = ET.SubElement(root, "size")
    for name, value in (("width", picture.width), ("height", picture.height), ("depth", 3)):
        ET.SubElement(size, name).text = str(value)
    ET.SubElement(root, "segmented").text = "1"
    for thing in picture.things:
        each = ET.SubElement(root, "object")
        ET.SubElement(each, "name").text = thing.label
        box = ET.SubElement(each, "bndbox")
        edges = mask_box(thing.mask) if thing.mask.any() else (0, 0, 0, 0)
        # Counted from 1, both ends inclusive.
        for name, value in zip(("xmin", "ymin", "xmax", "ymax"), (edges[0] + 1, edges[1] + 1, *edges[2:]), strict=True):
            ET.SubElement(box, name).text = str(value)
    return root


def _read_picture(path: Path, folder: Path) -> AnnotatedPicture:
    import PIL.Image

    try:
        root = ET.fromstring(path.read_bytes())
        name = root.findtext("filename") or f"{path.stem}.jpg"
        labels = [each.findtext("name") or "" for each in root.findall("object")]
        with PIL.Image.open(folder / "SegmentationObject" / f"{path.stem}.png") as picture:
            objects = np.array(picture)
    except (OSError, ET.ParseError) as error:
        raise MediaError(f"{str(path)!r} and its mask cannot be read: {error}") from None
    if objects.ndim != 2 or len(set(np.unique(objects)) - {0, VOID}) > len(labels):
        raise MediaError(f"{str(path)!r} names {len(labels)} things, its mask has others")
    things = tuple(Labelled(label, objects == number) for number, label in enumerate(labels, 1))
    return AnnotatedPicture(name, objects.shape[1], objects.shape[0], things)


def _save_indexed(indices: np.ndarray, path: Path) -> None:
    import PIL.Image

    picture = PIL.Image.fromarray(indices)
    picture.putpalette([0, 0, 0, *(level for index in range(1, 256) for level in colour_rgb(index))])
    picture.save(path)
