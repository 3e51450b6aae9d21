"""YOLO segmentation: a text file a picture, a line an outline, numbers as shares of width and height."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suffice.errors import MediaError
from suffice.masks.formats.annotated import AnnotatedPicture, Labelled
from suffice.masks.formats.polygons import fill_polygons, outlines
from suffice.media.image import read_image_size
from suffice.media.mask_rle import Mask

NAMES_FILE = "classes.txt"
_DIGITS = 7


def write_yolo(pictures: Sequence[AnnotatedPicture], folder: Path) -> None:
    """Write ``labels/NAME.txt`` for every picture and ``classes.txt`` with the names in order.

    The format has one outline a thing. Parts and holes are joined to it by a line there and back, of no area, so that
    a mask comes back to the pixel where coordinates have enough digits.
    """
    labels = sorted({thing.label for picture in pictures for thing in picture.things})
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    (folder / NAMES_FILE).write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
    for picture in pictures:
        lines = [_line(labels.index(thing.label), thing.mask) for thing in picture.things if thing.mask.any()]
        path = folder / "labels" / f"{Path(picture.file_name).stem}.txt"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_yolo(folder: Path, pictures: Sequence[Path]) -> list[AnnotatedPicture]:
    """The masks of `pictures` from ``labels`` and ``classes.txt`` in `folder`.

    Raises:
        MediaError: a file is missing or a line is no outline; the message names it.
    """
    try:
        labels = (folder / NAMES_FILE).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise MediaError(f"{str(folder)!r} has no {NAMES_FILE}: {error.strerror}") from None
    return [_read_picture(folder, path, labels) for path in pictures]


def _line(class_index: int, mask: Mask) -> str:
    height, width = mask.shape
    points = _joined(outlines(mask))
    return f"{class_index} " + " ".join(f"{x / width:.{_DIGITS}f} {y / height:.{_DIGITS}f}" for x, y in points)


def _joined(loops: Sequence[Sequence[tuple[int, int]]]) -> list[tuple[int, int]]:
    """All loops as one outline: from the first corner to each other loop, round it, and back."""
    joined = [*loops[0], loops[0][0]]
    for loop in loops[1:]:
        joined += [*loop, loop[0], loops[0][0]]
    return joined


def _read_picture(folder: Path, picture: Path, labels: Sequence[str]) -> AnnotatedPicture:
    path = folder / "labels" / f"{picture.stem}.txt"
    width, height = read_image_size(str(picture))
    things: list[Labelled] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            index, *numbers = line.split()
            shares = [float(each) for each in numbers]
            polygon = [(x * width, y * height) for x, y in zip(shares[::2], shares[1::2], strict=True)]
            things.append(Labelled(labels[int(index)], fill_polygons([polygon], (height, width))))
    except OSError as error:
        raise MediaError(f"{str(path)!r} cannot be read: {error.strerror}") from None
    except (ValueError, IndexError) as error:
        raise MediaError(f"{str(path)!r}, line {len(things) + 1}: {error}") from None
    return AnnotatedPicture(picture.name, width, height, tuple(things))
