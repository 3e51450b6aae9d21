"""``suffice masks``: tools for masks that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from suffice.cli.output import Json, print_json
from suffice.errors import MediaError

if TYPE_CHECKING:
    from suffice.masks.formats.annotated import AnnotatedPicture
    from suffice.media.mask_rle import Mask

app = typer.Typer(help="Change, combine and convert masks; take a picture apart along them.", no_args_is_help=True)
Out = Annotated[Path, typer.Option(help="File or folder to write.")]


@app.command()
def change(
    mask: Annotated[Path, typer.Argument(help="A black and white picture.")],
    then: Annotated[list[str], typer.Option(metavar="STEP", help="grow=4, shrink=2, fill-holes, invert … in order.")],
    out: Out,
    json: Json = False,
) -> None:
    """Grow, shrink, fill, clean or invert a mask."""
    from suffice.masks.picture_files import save_mask
    from suffice.masks.steps import parse_step, take_steps

    changed = take_steps(_read_mask(mask), [parse_step(step) for step in then])
    _told(save_mask(out, changed), int(changed.sum()), json)


@app.command()
def combine(
    masks: Annotated[list[Path], typer.Argument(help="Black and white pictures of one size.")],
    how: Annotated[Literal["union", "intersect", "subtract"], typer.Option(help="subtract: from the first.")],
    out: Out,
    json: Json = False,
) -> None:
    """Several masks made one."""
    from suffice.masks.combine import intersection, subtract, union
    from suffice.masks.picture_files import save_mask

    first, *others = [_read_mask(path) for path in masks]
    made = {
        "union": lambda: union([first, *others], first.shape),
        "intersect": lambda: intersection([first, *others], first.shape),
        "subtract": lambda: subtract(first, others),
    }[how]()
    _told(save_mask(out, made), int(made.sum()), json)


@app.command()
def layers(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    masks: Annotated[list[Path], typer.Argument(help="Masks of its things.")],
    out: Out,
    json: Json = False,
) -> None:
    """One RGBA layer a mask and one of what is left; laid over each other they are the picture, bit for bit."""
    from suffice.masks.picture_files import save_picture
    from suffice.media.image import decode_image
    from suffice.media.mask_layers import split_layers

    out.mkdir(parents=True, exist_ok=True)
    parts = split_layers(decode_image(str(image)), [_read_mask(path) for path in masks])
    names = [*(f"{image.stem}_layer_{number}.png" for number in range(1, len(parts))), f"{image.stem}_leftover.png"]
    files = [save_picture(out / name, part) for name, part in zip(names, parts, strict=True)]
    if json:
        print_json({"files": files})
    else:
        print("\n".join(files))


@app.command()
def matte(
    image: Annotated[Path, typer.Argument(help="A picture.")],
    mask: Annotated[Path, typer.Argument(help="The mask of a thing in it.")],
    model: Annotated[str, typer.Option(help="hf:FOLDER_OR_ID of a VitMatte.")],
    out: Out,
    band: Annotated[float, typer.Option(min=1, help="Pixels around the edge that are looked at.")] = 10.0,
    json: Json = False,
) -> None:
    """A cut-out with soft edges: hair, fur, glass."""
    from suffice.masks.matting import Matter
    from suffice.masks.picture_files import save_picture
    from suffice.media.image import decode_image
    from suffice.media.mask_crop import cut_out

    pixels = decode_image(str(image))
    alpha = Matter(model.removeprefix("hf:")).alpha(pixels, _read_mask(mask), band)
    _told(save_picture(out, cut_out(pixels, alpha)), int((alpha > 127).sum()), json)


@app.command()
def convert(
    source: Annotated[Path, typer.Argument(help="Answers of suffice mask, a COCO file, a YOLO or a VOC folder.")],
    to: Annotated[Literal["coco", "yolo", "voc"], typer.Option(help="The format to write.")],
    out: Out,
    images: Annotated[Path | None, typer.Option(help="The pictures of a YOLO folder, for their sizes.")] = None,
    json: Json = False,
) -> None:
    """Masks of a data set in another format."""
    from suffice.masks.formats.coco import write_coco
    from suffice.masks.formats.voc import write_voc
    from suffice.masks.formats.yolo import write_yolo

    pictures = _read_set(source, images)
    out.parent.mkdir(parents=True, exist_ok=True)
    {"coco": write_coco, "yolo": write_yolo, "voc": write_voc}[to](pictures, out)
    count = sum(len(picture.things) for picture in pictures)
    if json:
        print_json({"out": str(out), "pictures": len(pictures), "things": count})
    else:
        print(f"{count} things in {len(pictures)} pictures: {out}")


def _read_set(source: Path, images: Path | None) -> list[AnnotatedPicture]:
    """By what lies there."""
    from suffice.masks.formats.answers import read_answers
    from suffice.masks.formats.coco import read_coco
    from suffice.masks.formats.voc import read_voc
    from suffice.masks.formats.yolo import NAMES_FILE, read_yolo

    if source.is_file():
        return read_coco(source)
    if (source / "SegmentationObject").is_dir():
        return read_voc(source)
    if (source / NAMES_FILE).is_file():
        folder = images or source / "images"
        pictures = sorted(
            path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp")
        )
        if not pictures:
            raise MediaError(f"{str(folder)!r} has no pictures: a YOLO folder needs them for their sizes (--images)")
        return read_yolo(source, pictures)
    return read_answers(source)


def _read_mask(path: Path) -> Mask:
    """White is in it; so is what is more light than dark."""
    import numpy as np

    from suffice.media.image import decode_image

    return np.asarray(decode_image(str(path)).mean(axis=-1) > 127)


def _told(file: str, area: int, json: bool) -> None:
    if json:
        print_json({"file": file, "area": area})
    else:
        print(f"{area} px in {file}")
