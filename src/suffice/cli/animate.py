"""``suffice animate``: a picture or clip from a timeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import Json, print_json, warnings_on_stderr


def animate(
    out: Annotated[Path, typer.Option(help="The file: .mp4, .webm, .gif, .webp, .png; without a suffix, a folder.")],
    model: Annotated[str | None, typer.Option(help="pocket, a folder, a .safetensors file, or owner/name.")] = None,
    timeline: Annotated[str | None, typer.Option(help="A prompt, a timeline, or the file of one.")] = None,
    negative: Annotated[str | None, typer.Option(help="Negative prompt.")] = None,
    frames: Annotated[int | None, typer.Option(help="Frames of the clip; 1 for a picture.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels; by default what the model was trained on.")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second when played.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of the scheduler.")] = None,
    guidance: Annotated[float | None, typer.Option(help="Strength of the prompt.")] = None,
    rescale: Annotated[float | None, typer.Option(help="0 to 1, against burnt-out colours.")] = None,
    scheduler: Annotated[str | None, typer.Option(help="ddim, dpm++, euler, lcm, …, or a class of diffusers.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of all noise.")] = None,
    clip_skip: Annotated[int | None, typer.Option(help="Layers of the text encoder to leave out.")] = None,
    context: Annotated[int | None, typer.Option(help="Frames of a window.")] = None,
    overlap: Annotated[int | None, typer.Option(help="Frames that windows share.")] = None,
    stride: Annotated[int | None, typer.Option(help="Exponents of distances in windows.")] = None,
    windows: Annotated[str | None, typer.Option(help="uniform, static, batched or looped.")] = None,
    blend: Annotated[str | None, typer.Option(help="flat, pyramid or relative.")] = None,
    loop: Annotated[str | None, typer.Option(help="N, R-P, R+P or A.", metavar="MODE")] = None,
    noise: Annotated[str | None, typer.Option(help="random, freenoise or repeat.")] = None,
    freeinit: Annotated[int | None, typer.Option(help="Passes of FreeInit.")] = None,
    motion: Annotated[str | None, typer.Option(help="auto, none, or a motion module.")] = None,
    lora: Annotated[list[str] | None, typer.Option(help="PATH or PATH=WEIGHT.")] = None,
    control: Annotated[list[str] | None, typer.Option(help="KIND:SOURCE or KIND:SOURCE=STRENGTH.")] = None,
    controlnet: Annotated[list[str] | None, typer.Option(help="KIND=PATH_OR_ID.")] = None,
    init: Annotated[str | None, typer.Option(help="Picture or clip to start from.")] = None,
    last: Annotated[str | None, typer.Option(help="Picture to end on.")] = None,
    strength: Annotated[float | None, typer.Option(help="Share of the steps taken from --init.")] = None,
    mask: Annotated[
        str | None, typer.Option(help="What is painted: PNG, folder, video, track, RLE or text:WORD.")
    ] = None,
    only_masked: Annotated[bool | None, typer.Option(help="Paint the part around the mask, enlarged.")] = None,
    feather_px: Annotated[float | None, typer.Option(help="Soft edge inside the mask.")] = None,
    region: Annotated[list[str] | None, typer.Option(help="MASK:PROMPT.")] = None,
    ip_adapter: Annotated[str | None, typer.Option(help="Folder of one; pictures are in the timeline.")] = None,
    split: Annotated[bool | None, typer.Option(help="One prompt a call: slower, less memory.")] = None,
    deep_every: Annotated[
        int | None, typer.Option(help="Deep blocks in every so many steps: faster, not the same.", metavar="STEPS")
    ] = None,
    x: Annotated[str | None, typer.Option(help="A grid: SETTING=V1,V2 across.", metavar="AXIS")] = None,
    y: Annotated[str | None, typer.Option(help="And down.", metavar="AXIS")] = None,
    z: Annotated[str | None, typer.Option(help="And down again, in blocks of those.", metavar="AXIS")] = None,
    interpolate: Annotated[int | None, typer.Option(help="Frames for each frame.")] = None,
    interpolator: Annotated[str | None, typer.Option(help="flow, or onnx:FILE of a RIFE or FILM.")] = None,
    storage: Annotated[str | None, typer.Option(help="float8 holds weights in 8 bits.")] = None,
    like: Annotated[Path | None, typer.Option(help="Take all that is not said from this clip.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu or cuda.")] = None,
    compiled: Annotated[
        str, typer.Option("--compile", help="torch.compile by this backend: inductor.", metavar="BACKEND")
    ] = "",
    offload: Annotated[
        bool, typer.Option("--offload", help="Weights in main memory, on the device block by block.")
    ] = False,
    tiled: Annotated[
        bool, typer.Option("--tiled", help="The autoencoder in tiles, one at a time: less memory for large frames.")
    ] = False,
    preview: Annotated[Path | None, typer.Option(help="A picture of the middle frame so far: .jpg or .png.")] = None,
    json: Json = False,
) -> None:
    """Make a clip from a timeline of prompts; its file remembers how."""
    from suffice.cli.making import make
    from suffice.diffusion.settings import NAMES

    said = {"loras": lora, "control": control, "controlnets": controlnet, "regions": region}
    given = {name: value for name, value in locals().items() if name in NAMES and name != "control"}
    wanted = {name: value for name, value in {**given, **said}.items() if value is not None}
    with warnings_on_stderr():
        axes = [axis for axis in (x, y, z) if axis]
        load = {"device": device, "compiled": compiled, "offload": offload, "tiled": tiled}
        answer = make(wanted, out, like=like, load=load, axes=axes, preview=preview)
    if json:
        print_json(answer)
    else:
        print(f"{answer['file']}: {answer['frames']} frames in {answer['seconds']} s")
