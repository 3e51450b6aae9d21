"""Draw the pictures of docs/pocket.md from the family that ships: samples, clips, edges, inpainting, the curve.

python scripts/pocket_pictures.py [--work out/pocket]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from suffice.assets import asset_path
from suffice.diffusion.pocket import curve, measure
from suffice.diffusion.pocket.caption import caption
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.draw import draw
from suffice.diffusion.pocket.edges import as_hint, edges
from suffice.diffusion.pocket.train import STAGES

ROOT = Path(__file__).resolve().parent.parent
FAMILY, IMAGES = asset_path("pocket"), ROOT / "docs" / "images"
OPTIONS = {"num_inference_steps": 20, "guidance_scale": 3.0}
PROMPTS = (
    "a red circle on a black background",
    "a large blue star at the top on a gray background",
    "a small green heart on the left on a beige background",
    "a purple digit seven in the middle on a gray background",
    "a large yellow cross in the middle on a brown background",
    "a cyan triangle at the bottom on a navy background",
    "a yellow square left of a cyan triangle on a brown background",
    "a red cross above a blue circle on a gray background",
    "a white star right of an orange square on a black background",
    "an orange heart below a white digit three on a navy background",
    "a small red circle, a small blue square and a small green star in a row on a gray background",
    "a green triangle moving left on a beige background",
)
CLIPS = (
    "a white heart moving left on a brown background",
    "a red square moving right on a black background",
    "a yellow star moving up on a navy background",
    "an orange triangle moving down on a gray background",
    "a green heart growing on a beige background",
    "a blue square shrinking on a black background",
    "a cyan cross spinning on a gray background",
    "a purple star standing still on a beige background",
)


def grid(pictures: Any, columns: int, zoom: int = 1) -> Image.Image:
    """Pictures [n, h, w, 3] in [0, 1] in rows, each `zoom` times as large, with a white line between."""
    framed = [np.pad(picture, ((0, 1), (0, 1), (0, 0)), constant_values=1.0) for picture in pictures]
    rows = [np.concatenate(framed[n : n + columns], 1) for n in range(0, len(framed), columns)]
    sheet = Image.fromarray(np.round(np.concatenate(rows, 0) * 255).astype(np.uint8))
    return sheet.resize((sheet.width * zoom, sheet.height * zoom), Image.Resampling.NEAREST)


def keep(name: str, sheet: Image.Image) -> None:
    sheet.save(IMAGES / f"{name}.jpg", quality=88)
    print(name, (IMAGES / f"{name}.jpg").stat().st_size // 1000, "kB")


def quiet(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe


def samples(pipe: Any) -> None:
    four = [prompt for prompt in PROMPTS for _ in range(4)]
    keep("pocket_samples", grid(measure.painted(pipe, four, seed=0, **OPTIONS), 12))


def clips() -> None:
    from diffusers import AnimateDiffPipeline, MotionAdapter

    adapter = MotionAdapter.from_pretrained(FAMILY / "motion")
    pipe = quiet(AnimateDiffPipeline.from_pretrained(FAMILY, motion_adapter=adapter))
    shown = measure.filmed(pipe, list(CLIPS), seed=0, **OPTIONS)
    keep("pocket_clips", grid([frame for one in shown for frame in one[[0, 2, 4, 6, 8, 10, 12, 13, 14, 15]]], 10))


def steered(pipe: Any) -> None:
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    control = ControlNetModel.from_pretrained(FAMILY / "controlnet_edge")
    parts = {name: part for name, part in pipe.components.items() if name != "image_encoder"}
    both = quiet(StableDiffusionControlNetPipeline(**parts, controlnet=control, requires_safety_checker=False))
    told = scenes(10, seed=4)
    hint = torch.from_numpy(np.stack([as_hint(draw(one)) for one in told]))
    made = measure.painted(both, [caption(one) for one in told], 0, image=hint, **OPTIONS)
    lines = [np.repeat(edges(draw(one))[..., None] / 255.0, 3, -1) for one in told]
    keep("pocket_edges", grid([*lines, *made], 10))


def main() -> None:
    from diffusers import StableDiffusionPipeline

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "pocket")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    curves = curve.collect(chosen.work, (*STAGES, "judge", "judge_motion"))
    if curves:
        (IMAGES / "pocket_curve.svg").write_text(curve.as_svg(curves))
        (ROOT / "bench" / "results" / "pocket_curve.json").write_text(json.dumps(curves) + "\n")
    pipe = quiet(StableDiffusionPipeline.from_pretrained(FAMILY, safety_checker=None))
    samples(pipe)
    clips()
    steered(pipe)


if __name__ == "__main__":
    main()
