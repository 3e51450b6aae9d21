"""``suffice inpaint``: a part of a picture, painted anew."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import Json, print_json, warnings_on_stderr


def inpaint(
    image: Annotated[str, typer.Argument(help="The picture, or a clip with --frames.")],
    mask: Annotated[str, typer.Option(help="What is painted: PNG (white), folder, video, track, RLE or text:WORD.")],
    prompt: Annotated[str, typer.Option(help="What is to be there; a timeline for a clip.")],
    out: Annotated[Path, typer.Option(help="The file.")],
    model: Annotated[str, typer.Option(help="pocket, a folder, a .safetensors file, or owner/name.")] = "pocket",
    negative: Annotated[str, typer.Option(help="What is not to be there.")] = "",
    frames: Annotated[int, typer.Option(help="Frames of a clip.")] = 1,
    steps: Annotated[int, typer.Option(help="Steps of the scheduler.")] = 20,
    guidance: Annotated[float, typer.Option(help="Strength of the prompt.")] = 7.5,
    scheduler: Annotated[str, typer.Option(help="ddim, dpm++, euler, lcm, …")] = "",
    strength: Annotated[float, typer.Option(help="Below 1 keeps something of what was there.")] = 1.0,
    feather_px: Annotated[float, typer.Option(help="Soft edge inside the mask.")] = 0.0,
    padding_px: Annotated[int, typer.Option(help="Seen around the mask.")] = 16,
    whole: Annotated[
        bool, typer.Option(help="See the whole picture at its own size, not the part around the mask.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of all noise.")] = 0,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    json: Json = False,
) -> None:
    """Paint what the mask shows anew; every pixel outside it stays bit for bit."""
    from suffice.cli.making import make
    from suffice.diffusion.settings import NAMES

    wanted = {name: value for name, value in locals().items() if name in NAMES}
    wanted |= {"init": image, "timeline": prompt, "only_masked": not whole}
    with warnings_on_stderr():
        answer = make(wanted, out, load={"device": device})
    if json:
        print_json(answer)
    else:
        print(f"{answer['file']}: {answer['frames']} frames in {answer['seconds']} s")
