"""Long clips: ours beside diffusers' FreeNoise on the same weights; a loop's seam; 8-bit weights; motion in and out.

python bench/animate.py                    # the packaged weights
python bench/animate.py --model FOLDER     # any checkpoint of SD 1.5's layout with a folder `motion`
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from suffice.diffusion.animator import Animator
from suffice.diffusion.flow import optical_flow, warp
from suffice.diffusion.memory.estimate import count_alive
from suffice.diffusion.memory.float8 import weight_bytes
from suffice.diffusion.motion.inject import injected
from suffice.diffusion.motion.load import load_motion
from suffice.diffusion.settings import Settings
from suffice.diffusion.vae import decode_latents

RESULTS = Path(__file__).parent / "results" / "animate.json"
PROMPT = "a red circle moving right on a white background"
CONTEXT, OVERLAP = 16, 4


def ours(animator: Animator, frames: int, steps: int, **more: Any) -> torch.Tensor:
    how = Settings(
        timeline=PROMPT, frames=frames, steps=steps, context=CONTEXT, overlap=OVERLAP, noise="freenoise", seed=1, **more
    )
    return animator.animate(how).latents


def freenoise(animator: Animator) -> Callable[[int, int], torch.Tensor]:
    from diffusers import AnimateDiffPipeline, DDIMScheduler

    parts = animator.parts
    pipeline = AnimateDiffPipeline(
        vae=parts.vae,
        text_encoder=parts.text_encoders[0],
        tokenizer=parts.tokenizers[0],
        unet=parts.unet,
        motion_adapter=load_motion(parts.folder / "motion").adapter,
        scheduler=DDIMScheduler.from_config(parts.scheduler.config),
    )
    pipeline.set_progress_bar_config(disable=True)
    pipeline.enable_free_noise(context_length=CONTEXT, context_stride=OVERLAP)

    def run(frames: int, steps: int) -> torch.Tensor:
        how: dict[str, Any] = {"num_frames": frames, "num_inference_steps": steps, "guidance_scale": 7.5}
        generator = torch.Generator().manual_seed(1)
        side = {"width": parts.side_px, "height": parts.side_px}
        return pipeline(PROMPT, negative_prompt="", generator=generator, output_type="latent", **how, **side).frames

    return run


def peak_bytes(run: Callable[[], Any]) -> int:
    """Of all tensors made and not yet dropped, over one step."""
    with torch.no_grad(), count_alive() as alive:
        run()
    return int(alive.peak)


def seconds(run: Callable[[], Any]) -> float:
    started = time.process_time()
    run()
    return time.process_time() - started


def warp_error(frames: list[np.ndarray]) -> float:
    """Mean grey levels by which a frame differs from the next drawn back along the flow between them."""
    pairs = pairwise(frames)
    return float(np.mean([np.abs(warp(b, optical_flow(a, b)) - a).mean() for a, b in pairs]))


def decoded(animator: Animator, latents: torch.Tensor) -> list[np.ndarray]:
    return list(decode_latents(animator.parts.vae, latents))


def long_clips(animator: Animator, frames: int, steps: int, pairs: int) -> dict[str, Any]:
    theirs = freenoise(animator)
    lengths = (CONTEXT, frames // 2, frames)
    memory = {
        "frames": lengths,
        "ours": [peak_bytes(lambda n=n: ours(animator, n, 1)) for n in lengths],
        "freenoise": [peak_bytes(lambda n=n: theirs(n, 1)) for n in lengths],
    }
    times = [
        (seconds(lambda: ours(animator, frames, steps)), seconds(lambda: theirs(frames, steps))) for _ in range(pairs)
    ]
    clips = ours(animator, frames, steps), theirs(frames, steps)
    return {
        "frames": frames,
        "steps": steps,
        "peak_bytes_of_a_step": memory,
        "cpu_s": {"ours": [t[0] for t in times], "freenoise": [t[1] for t in times]},
        "time_ratio": statistics.median(t[0] / t[1] for t in times),
        "warp_error": dict(zip(("ours", "freenoise"), (warp_error(decoded(animator, c)) for c in clips), strict=True)),
    }


def seam(animator: Animator, frames: int, steps: int) -> dict[str, float]:
    """Last frame to first, against the median of neighbours, with and without a loop."""
    found = {}
    for loop in ("A", "N"):
        clip = [f.astype(float) for f in decoded(animator, ours(animator, frames, steps, loop=loop))]
        neighbours = [np.abs(a - b).mean() for a, b in pairwise(clip)]
        found[loop] = float(np.abs(clip[-1] - clip[0]).mean() / statistics.median(neighbours))
    return {"looped_over_median_neighbour": found["A"], "open_over_median_neighbour": found["N"]}


def float8(model: str, steps: int) -> dict[str, float]:
    plain, small = Animator(model, device="cpu"), Animator(model, device="cpu", storage="float8")
    how = Settings(timeline=PROMPT, frames=1, steps=steps, seed=1)
    a, b = (next(each.animate(how).frames).astype(float) for each in (plain, small))
    error = float(((a - b) ** 2).mean())
    half, held = (
        weight_bytes(Animator(model, device="cpu", dtype="float16", storage=s).parts.unet) for s in ("", "float8")
    )
    return {
        "weights_over_float16": held / half,
        "psnr_db": 10 * float(np.log10(255**2 / max(error, 1e-9))),
    }


def in_and_out(animator: Animator, cycles: int = 50) -> dict[str, float]:
    unet, motion = animator.parts.unet, load_motion(animator.parts.folder / "motion")
    times = []
    for _ in range(cycles):
        started = time.perf_counter()
        with injected(unet, motion):
            pass
        times.append(time.perf_counter() - started)
    return {"median_ms": 1000 * statistics.median(times)}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--model", default="pocket")
    arguments.add_argument("--frames", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--pairs", type=int, default=3)
    said = arguments.parse_args()
    torch.set_num_threads(1)
    animator = Animator(said.model, device="cpu")
    result = {
        "weights": "packaged" if said.model == "pocket" else Path(said.model).name,
        "inject_and_restore": in_and_out(animator),
        "float8": float8(said.model, said.steps),
        "long": long_clips(animator, said.frames, said.steps, said.pairs),
        "loop": seam(animator, 24, said.steps),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_table(result)


def print_table(result: dict[str, Any]) -> None:
    long, memory = result["long"], result["long"]["peak_bytes_of_a_step"]
    print(f"weights: {result['weights']}")
    print("peak of one step, MiB   " + "".join(f"{n:>9} frames" for n in memory["frames"]))
    for who in ("ours", "freenoise"):
        print(f"{who:<24}" + "".join(f"{size / 2**20:>16.1f}" for size in memory[who]))
    print(f"time, ours / FreeNoise, {long['frames']} frames: {long['time_ratio']:.2f}")
    print("warp error: " + ", ".join(f"{who} {value:.2f}" for who, value in long["warp_error"].items()))
    print(f"loop seam over median neighbour: {result['loop']['looped_over_median_neighbour']:.2f}")
    print(f"  without a loop: {result['loop']['open_over_median_neighbour']:.2f}")
    small = result["float8"]
    print(f"float8: {small['weights_over_float16']:.2f} of float16, PSNR {small['psnr_db']:.1f} dB")
    print(f"motion module in and out: {result['inject_and_restore']['median_ms']:.1f} ms")


if __name__ == "__main__":
    main()
