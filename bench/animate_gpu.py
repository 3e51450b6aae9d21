"""Clips on a CUDA device, beside diffusers' own: random weights of Stable Diffusion 1.5's size, 512², 16 and 64 frames.

python bench/animate_gpu.py            # minutes; 3 GB of weights are written to a temporary folder

diffusers: AnimateDiffPipeline, with FreeNoise where the clip is longer than a window. Both keep to latents, on the
same weights in half precision, each alone in the device's memory.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from animate import CONTEXT, by_diffusers, ours, pipeline_of
from regional import small_random

from suffice.diffusion.animator import Animator

RESULTS = Path(__file__).parent / "results" / "animate_gpu.json"
DEVICE, LENGTHS, LATENT_SIDE, THEIR_STRIDE = "cuda", (CONTEXT, 64), 64, 4
WAYS: dict[str, dict[str, Any]] = {"float8": {"storage": "float8"}, "offload": {"offload": True}}


def write_checkpoint(folder: Path) -> None:
    """Random weights in the shape of Stable Diffusion 1.5 and AnimateDiff v2, half precision."""
    from diffusers import AutoencoderKL, MotionAdapter, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    from suffice.diffusion.pocket.random_folder import write_plain_parts

    write_plain_parts(folder)
    wide = (128, 256, 512, 512)
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4}
    told = CLIPTextConfig(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12)
    parts: dict[str, Callable[[], Any]] = {
        "unet": lambda: small_random(
            lambda: UNet2DConditionModel(sample_size=LATENT_SIDE, cross_attention_dim=768, attention_head_dim=8)
        ),
        "vae": lambda: small_random(
            lambda: AutoencoderKL(block_out_channels=wide, layers_per_block=2, sample_size=512, **blocks)
        ),
        "text_encoder": lambda: small_random(lambda: CLIPTextModel(told)),
        "motion": lambda: small_random(lambda: MotionAdapter(use_motion_mid_block=True)),
    }
    for name, make in parts.items():
        make().half().save_pretrained(folder / name)
    path = folder / "motion" / "config.json"  # diffusers computes modules of v2 otherwise than they were trained
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), "norm_each_frame": False, "scheduler": {}}))


def measured(run: Callable[[], Any], repeats: int) -> dict[str, Any]:
    """Wall seconds (median, after one run to warm up) and the most bytes the device's tensors took."""
    run()
    torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated()
    return {"seconds": round(statistics.median(times), 3), "peak_gib": round(peak / 2**30, 2)}


def emptied() -> None:
    gc.collect()
    torch.cuda.empty_cache()


Rows = list[dict[str, Any]]


def our_rows(model: str, steps: int, repeats: int) -> tuple[Rows, torch.Tensor]:
    animator = Animator(model, device=DEVICE)
    rows = [{"who": "ours", "frames": n, **measured(lambda n=n: ours(animator, n, steps), repeats)} for n in LENGTHS]
    return rows, ours(animator, CONTEXT, steps).cpu()


def their_rows(model: str, steps: int, repeats: int) -> tuple[Rows, torch.Tensor]:
    animator = Animator(model, device=DEVICE)
    side_px, pipeline = animator.parts.side_px, pipeline_of(animator).to(DEVICE, torch.float16)
    del animator
    emptied()
    one, rows = by_diffusers(pipeline, side_px, CONTEXT, steps).cpu(), []
    for frames in LENGTHS:
        if frames > CONTEXT:
            pipeline.enable_free_noise(context_length=CONTEXT, context_stride=THEIR_STRIDE)
        row = measured(lambda n=frames: by_diffusers(pipeline, side_px, n, steps), repeats)
        rows.append({"who": "diffusers", "frames": frames, **row})
    return rows, one


def lean_row(model: str, name: str, steps: int) -> dict[str, Any]:
    animator = Animator(model, device=DEVICE, **WAYS[name])
    return {"who": f"ours, {name}", "frames": CONTEXT, **measured(lambda: ours(animator, CONTEXT, steps), 1)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--steps", type=int, default=10)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--out", type=Path, default=RESULTS)
    said = arguments.parse_args()
    if not torch.cuda.is_available():
        print("skipped: there is no CUDA device")
        return
    with tempfile.TemporaryDirectory() as folder:
        write_checkpoint(Path(folder))
        own, a = our_rows(folder, said.steps, said.repeats)
        emptied()
        theirs, b = their_rows(folder, said.steps, said.repeats)
        found = {
            "device": torch.cuda.get_device_name(),
            "torch": torch.__version__,
            "steps": said.steps,
            "largest_difference_of_a_latent": float((a.float() - b.float()).abs().max()),
            "largest_latent": float(b.float().abs().max()),
            "rows": [*own, *theirs],
        }
        keep(found, said.out)
        for name in WAYS:
            emptied()
            found["rows"].append(lean_row(folder, name, said.steps))
            keep(found, said.out)
    print_table(found)


def keep(found: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def print_table(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        print(f"{row['who']:<16}{row['frames']:>4} frames {row['seconds']:>8.2f} s {row['peak_gib']:>7.2f} GiB")
    told = {(row["who"], row["frames"]): row for row in found["rows"]}
    for frames in LENGTHS:
        one, two = told["ours", frames], told["diffusers", frames]
        time_ratio, peak_ratio = (one[key] / two[key] for key in ("seconds", "peak_gib"))
        print(f"ours / diffusers, {frames} frames: {time_ratio:.2f} of the time, {peak_ratio:.2f} of the peak")
    print(f"latents differ by {found['largest_difference_of_a_latent']:.1e} of {found['largest_latent']:.1f}")


if __name__ == "__main__":
    main()
