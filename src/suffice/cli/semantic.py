"""``suffice semantic FILE…``: every pixel's class."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import CommandLineError, Json, print_json, shown


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
    """Semantic maps in ControlNet's colours, class areas, and masks by category; a bad file does not stop the rest."""
    from suffice.masks.names import segmenter_named
    from suffice.masks.semantic.checkpoint_map import CheckpointMap
    from suffice.masks.semantic.map_files import MapWish, map_pictures
    from suffice.media.wants import wanted

    if not model.startswith("hf:"):
        raise CommandLineError(f"--model {model}: a semantic map needs a checkpoint, hf:FOLDER_OR_ID")
    wish = MapWish(category, exclude, segmenter_named(enhance) if enhance else None, majority)
    pictures = wanted(files, "image")
    maker = CheckpointMap(model.removeprefix("hf:"))
    answers = list(shown(map_pictures(pictures, maker, wish, out), "maps", len(pictures)))
    maps = [each for each in answers if "problem" not in each]
    problems = [each for each in answers if "problem" in each]
    for each in problems:
        print(f"warning: {each['problem']}", file=sys.stderr)
    if json:
        print_json({"maps": maps, "problems": problems})
    else:
        for each in maps:
            areas = ", ".join(f"{name} {area}" for name, area in list(each["areas"].items())[:6])
            print(f"{Path(each['file']).name}: {areas}")
    if problems and not maps:
        raise typer.Exit(1)
