"""``suffice semantic FILE…``: every pixel's class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from suffice.cli.output import CommandLineError, Json, print_json


def semantic(
    files: Annotated[list[str], typer.Argument(help="Pictures: files, folders, globs.")],
    model: Annotated[str, typer.Option(help="hf:FOLDER_OR_ID of a SegFormer, Mask2Former, OneFormer or EoMT.")],
    out: Annotated[Path, typer.Option(help="Folder for maps and masks.")],
    category: Annotated[str | None, typer.Option(help="Also a mask of these classes, names or ids: sky+21.")] = None,
    exclude: Annotated[str, typer.Option(help="But not of these.")] = "",
    enhance: Annotated[str | None, typer.Option(help="Segmenter whose masks make the map sharper.")] = None,
    majority: Annotated[float, typer.Option(min=0, max=1, help="Least share of a mask for its class to count.")] = 0.0,
    json: Json = False,
) -> None:
    """Semantic maps in ControlNet's colours, class areas, and masks by category."""
    from suffice.masks.names import segmenter_named
    from suffice.masks.picture_files import save_mask, save_picture
    from suffice.masks.semantic.checkpoint_map import CheckpointMap
    from suffice.masks.semantic.palette import coloured
    from suffice.masks.semantic.semantic_map import enhanced
    from suffice.media.image import decode_image
    from suffice.media.scan import expand

    if not model.startswith("hf:"):
        raise CommandLineError(f"--model {model}: a semantic map needs a checkpoint, hf:FOLDER_OR_ID")
    maker = CheckpointMap(model.removeprefix("hf:"))
    segmenter = segmenter_named(enhance) if enhance else None
    out.mkdir(parents=True, exist_ok=True)
    maps: list[dict[str, Any]] = []
    for file in (file for pattern in files for file in expand(pattern)):
        image = decode_image(file.path)
        found = maker.map_of(image)
        if segmenter is not None:
            masks = [each.mask for each in segmenter.everything(segmenter.encode(image))]
            found = enhanced(found, masks, majority)
        stem = Path(file.path).stem
        written = {"map": save_picture(out / f"{stem}_map.png", coloured(found))}
        if category is not None:
            written["mask"] = save_mask(out / f"{stem}_mask.png", found.category(category, exclude))
        maps.append({"file": file.path, "areas": found.areas(), "files": written})
    if json:
        print_json({"maps": maps})
        return
    for each in maps:
        shown = ", ".join(f"{name} {area}" for name, area in list(each["areas"].items())[:6])
        print(f"{Path(each['file']).name}: {shown}")
