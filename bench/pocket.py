"""What the pocket family can do, by judges that learnt from drawn pictures alone; the peer is the drawing itself.

    python bench/pocket.py                  # everything, some ten minutes on one core
    python bench/pocket.py --only one two   # some measures again; the others keep their last figures

The judges are trained on first use (a few minutes) and kept in out/pocket.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suffice.assets import asset_path
from suffice.diffusion.pocket import measure
from suffice.diffusion.pocket.data import scenes
from suffice.diffusion.pocket.scene import COLOURS, Scene

RESULTS = Path(__file__).parent / "results" / "pocket.json"
STEPS, CLIP_STEPS, GUIDANCE = 20, 10, 3.0
PLAIN = {"num_inference_steps": STEPS, "guidance_scale": GUIDANCE}


class Bench:
    """The family, the judges and how many pictures to ask for; pipelines are made when first needed."""

    def __init__(self, family: Path, work: Path, count: int, clips: int) -> None:
        self.family, self.count, self.clips = family, count, clips
        self.judges = measure.judges(work)

    def _quiet(self, pipe: Any) -> Any:
        pipe.set_progress_bar_config(disable=True)
        return pipe

    @cached_property
    def pipe(self) -> Any:
        from diffusers import StableDiffusionPipeline

        return self._quiet(StableDiffusionPipeline.from_pretrained(self.family, safety_checker=None))

    @cached_property
    def moving_pipe(self) -> Any:
        from diffusers import AnimateDiffPipeline, MotionAdapter

        adapter = MotionAdapter.from_pretrained(self.family / "motion")
        return self._quiet(AnimateDiffPipeline.from_pretrained(self.family, motion_adapter=adapter))

    def vae(self) -> dict[str, Any]:
        return {"psnr_db": measure.psnr(self.pipe.vae, 400, seed=901)}

    def _look(self, told: list[Scene], pipe: Any, **options: Any) -> dict[str, Any]:
        right = measure.look(self.judges.looker, told, measure.by_words(pipe, **options))
        return {
            "all": measure.share(right),
            "shapes": measure.digits(told, right, False),
            "digits": measure.digits(told, right, True),
        }

    def judge(self) -> dict[str, Any]:
        """How right the judges are themselves, on drawings and on drawings through the autoencoder."""
        result: dict[str, Any] = {"motion": measure.watcher_accuracy(self.judges.watcher, 200, seed=905)}
        for name, mix in (("one", measure.ONE), ("two", measure.TWO)):
            told = scenes(400, 906, mix)
            for how, paint in (("drawn", measure.drawn), ("through_vae", measure.round_trip(self.pipe.vae))):
                result[f"{name}_{how}"] = measure.share(measure.look(self.judges.looker, told, paint))
        return result

    def one(self) -> dict[str, Any]:
        return self._look(scenes(self.count, 902, measure.ONE), self.pipe, **PLAIN)

    def two(self) -> dict[str, Any]:
        return self._look(scenes(self.count, 903, measure.TWO), self.pipe, **PLAIN)

    def motion(self) -> dict[str, Any]:
        asked = measure.motion_prompts(self.clips, seed=904)
        seen = measure.watch(
            self.judges.watcher, self.moving_pipe, asked, num_inference_steps=CLIP_STEPS, guidance_scale=GUIDANCE
        )
        each = {
            motion: {
                "share": float(np.mean([b == motion for a, b in seen if a == motion])),
                "seen_as": dict(Counter(b for a, b in seen if a == motion)),
            }
            for motion in dict.fromkeys(a for a, _ in seen)
        }
        return {"all": measure.share(a == b for a, b in seen), "each": each}

    def pan(self) -> dict[str, Any]:
        asked, options = (
            measure.pan_prompts(self.clips * 2, 907),
            {"num_inference_steps": CLIP_STEPS, "guidance_scale": GUIDANCE},
        )
        without = measure.watch(self.judges.watcher, self.moving_pipe, asked, **options)
        self.moving_pipe.load_lora_weights(self.family / "motion_lora_pan_left", adapter_name="pan")
        with_lora = measure.watch(self.judges.watcher, self.moving_pipe, asked, **options)
        self.moving_pipe.unload_lora_weights()
        return {
            "drifts_right_without": measure.share(b == "moving right" for _, b in without),
            "drifts_right_with": measure.share(b == "moving right" for _, b in with_lora),
        }

    def edges(self) -> dict[str, Any]:
        from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

        control = ControlNetModel.from_pretrained(self.family / "controlnet_edge")
        parts = {name: part for name, part in self.pipe.components.items() if name != "image_encoder"}
        pipe = self._quiet(
            StableDiffusionControlNetPipeline(**parts, controlnet=control, requires_safety_checker=False)
        )
        told = scenes(self.count // 2, 908)
        result = {}
        for name, strength in (("with", 1.0), ("without", 0.0)):
            found = np.array(measure.follow_edges(pipe, told, controlnet_conditioning_scale=strength, **PLAIN))
            result[name] = {
                "iou": round(float(found[:, 0].mean()), 4),
                "overlap_within_1px": round(float(found[:, 1].mean()), 4),
            }
        return {"n": len(told), **result}

    def lcm(self) -> dict[str, Any]:
        from diffusers import LCMScheduler

        told, usual = scenes(self.count, 902, measure.ONE), self.pipe.scheduler
        result = {"ddim_4_steps": self._look(told, self.pipe, num_inference_steps=4, guidance_scale=GUIDANCE)}
        self.pipe.load_lora_weights(self.family / "lora_lcm", adapter_name="lcm")
        self.pipe.scheduler = LCMScheduler.from_config(usual.config)
        result["lcm_4_steps"] = self._look(told, self.pipe, num_inference_steps=4, guidance_scale=1.0)
        self.pipe.unload_lora_weights()
        self.pipe.scheduler = usual
        return result

    def inpaint(self) -> dict[str, Any]:
        """Paint one thing of another kind and colour where a thing was; count those seen, and what changed outside."""
        from diffusers import StableDiffusionInpaintPipeline, UNet2DConditionModel

        wide = UNet2DConditionModel.from_pretrained(self.family / "unet_inpaint")
        parts = {**{n: p for n, p in self.pipe.components.items() if n != "image_encoder"}, "unet": wide}
        pipe = self._quiet(StableDiffusionInpaintPipeline(**parts, requires_safety_checker=False))
        return inpainted(pipe, self.judges.looker, scenes(self.count // 2, 909, measure.TWO))


def inpainted(pipe: Any, looker: Any, told: list[Scene]) -> dict[str, Any]:
    from dataclasses import replace

    from suffice.diffusion.pocket.scene import SHAPES

    rng = np.random.default_rng(910)
    wanted = []
    for one in told:
        first, second = one.things
        colour = [c for c in COLOURS if c not in (first.colour, second.colour)][int(rng.integers(len(COLOURS) - 2))]
        wanted.append(
            one.with_things(replace(first, kind=SHAPES[int(rng.integers(len(SHAPES)))], colour=colour), second)
        )
    off: list[float] = []

    def paint(some: list[Scene], seed: int) -> Any:
        from suffice.diffusion.pocket.caption import caption

        sources = [told[wanted.index(one)] for one in some]
        before = measure.drawn(sources, 0)
        mask = np.zeros((len(some), 64, 64), np.float32)
        for n, one in enumerate(sources):
            x, y, r = *one.things[0].centre_xy, one.things[0].radius + 0.07
            y0, y1, x0, x1 = (round(min(max(v, 0), 1) * 64) for v in (y - r, y + r, x - r, x + r))
            mask[n, y0:y1, x0:x1] = 1
        image = torch.from_numpy(before).permute(0, 3, 1, 2) * 2 - 1
        after = measure.painted(
            pipe,
            [caption(one) for one in some],
            seed,
            image=image,
            mask_image=torch.from_numpy(mask)[:, None],
            strength=1.0,
            **PLAIN,
        )
        off.extend(float(np.abs(a - b)[m == 0].mean()) for a, b, m in zip(after, before, mask, strict=True))
        return after

    right = measure.look(looker, wanted, paint)
    return {"all": measure.share(right), "mean_change_outside": round(float(np.mean(off)), 4)}


MEASURES: tuple[str, ...] = ("judge", "vae", "one", "two", "motion", "edges", "inpaint", "lcm", "pan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=MEASURES, default=MEASURES)
    parser.add_argument("--family", type=Path, default=asset_path("pocket"))
    parser.add_argument("--work", type=Path, default=Path("out/pocket"))
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--clips", type=int, default=6, help="clips for each of the eight motions")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(chosen.family, chosen.work, chosen.count, chosen.clips)
    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in chosen.only:
        began = time.process_time()
        ask: Callable[[], dict[str, Any]] = getattr(bench, name)
        found[name] = {**ask(), "cpu_seconds": round(time.process_time() - began, 1)}
        print(name, json.dumps(found[name]), flush=True)
        RESULTS.write_text(json.dumps({key: found[key] for key in MEASURES if key in found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
