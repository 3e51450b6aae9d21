"""Clips: ours beside diffusers' own on the same weights; a loop's seam; what makes them smaller and faster.

python bench/animate.py                    # the packaged weights
python bench/animate.py --only long loop   # some parts again; the others keep their last figures
python bench/animate.py --model FOLDER     # any checkpoint of SD 1.5's layout with a folder `motion`
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
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

PARTS = ("same", "inject_and_restore", "float8", "deep", "compiled", "long", "loop", "commands")
RESULTS = Path(__file__).parent / "results" / "animate.json"
PROMPT = "a red circle moving right on a white background"
CONTEXT, OVERLAP, SEEDS, SEAMS = 16, 5, 12, 20
MOVES = "a red circle moving right on a black background"
TRAVELS = "0: a green heart growing on a beige background\n50%: an orange star growing on a beige background"
LOOPS = {  # a clip of one window, clips of several, told one thing or several
    "told to move": Settings(timeline=MOVES, frames=16),
    "told to move, two windows": Settings(timeline=MOVES, frames=24),
    "prompts that travel": Settings(timeline=TRAVELS, frames=16),
    "prompts that travel, three windows": Settings(timeline=TRAVELS, frames=40),
}
SHAPE = "0: a white circle\n8: a white star\non a black background\ntravel: slerp closed"
COLOUR = "0: a red circle\n8: a blue star\non a beige background\ntravel: slerp closed"


def ours(animator: Animator, frames: int, steps: int, **more: Any) -> torch.Tensor:
    how = Settings(
        timeline=PROMPT,
        frames=frames,
        steps=steps,
        context=CONTEXT,
        overlap=OVERLAP,
        noise="freenoise",
        **{"seed": 1, **more},
    )
    return animator.animate(how).latents


def pipeline_of(animator: Animator) -> Any:
    """diffusers' AnimateDiffPipeline on the very same weights."""
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
    return pipeline


def by_diffusers(pipeline: Any, side_px: int, frames: int, steps: int, seed: int = 1) -> torch.Tensor:
    how: dict[str, Any] = {"num_frames": frames, "num_inference_steps": steps, "guidance_scale": 7.5}
    side = {"width": side_px, "height": side_px, "generator": torch.Generator().manual_seed(seed)}
    return pipeline(PROMPT, negative_prompt="", output_type="latent", **how, **side).frames


def freenoise(animator: Animator) -> Callable[[int, int, int], torch.Tensor]:
    pipeline = pipeline_of(animator)
    pipeline.enable_free_noise(context_length=CONTEXT, context_stride=4)  # as they have it
    return lambda frames, steps, seed=1: by_diffusers(pipeline, animator.parts.side_px, frames, steps, seed)


def same(animator: Animator, steps: int) -> dict[str, Any]:
    """Largest difference of a value of the latents, and of a grey level of the frames, to AnimateDiffPipeline."""
    own = animator.animate(Settings(timeline=PROMPT, steps=steps, seed=1, motion="auto")).latents
    theirs = by_diffusers(pipeline_of(animator), animator.parts.side_px, CONTEXT, steps)
    frames = [np.stack(decoded(animator, latents)).astype(int) for latents in (own, theirs)]
    return {
        "frames": CONTEXT,
        "steps": steps,
        "latents": float((own - theirs).abs().max()),
        "grey_levels": int(np.abs(frames[0] - frames[1]).max()),
    }


def psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * float(np.log10(255**2 / max(float(((a.astype(float) - b) ** 2).mean()), 1e-9)))


def deep(animator: Animator, steps: int) -> dict[str, Any]:
    """Deep features in every k-th step: CPU time over that of all steps, PSNR to all steps."""
    found: dict[str, Any] = {"steps": steps}
    how = Settings(timeline=PROMPT, steps=steps, seed=1)
    whole_s, whole = timed(animator, how)
    for every in (1, 2, 3, 4):
        took_s, frames = timed(animator, replace(how, deep_every=every))
        found[str(every)] = {"time_ratio": took_s / whole_s, "psnr_db": psnr_db(whole, frames)}
    return found


def timed(animator: Animator, how: Settings) -> tuple[float, np.ndarray]:
    """CPU seconds of the steps, and the frames."""
    clips: list[Any] = []
    took_s = seconds(lambda: clips.append(animator.animate(how)))
    return took_s, np.stack(list(clips[0].frames))


def compiled(model: str, steps: int) -> dict[str, Any]:
    """Inductor: seconds of the first clip beside a later one, and both beside a clip without it."""
    plain, fast = Animator(model, device="cpu"), Animator(model, device="cpu", compiled="inductor")
    how = Settings(timeline=PROMPT, steps=steps, seed=1)
    whole_s, whole = timed(plain, how)
    first, again = (timed(fast, how) for _ in range(2))
    return {
        "steps": steps,
        "first_ratio": first[0] / whole_s,
        "time_ratio": again[0] / whole_s,
        "psnr_db": psnr_db(whole, again[1]),
    }


def peak_bytes(run: Callable[[], Any]) -> int:
    """Of all tensors made and not yet dropped, over one step."""
    with torch.no_grad(), count_alive() as alive:
        run()
    return int(alive.peak)


def seconds(run: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> float:
    started = clock()
    run()
    return clock() - started


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
    runs = (lambda: ours(animator, frames, steps), lambda: theirs(frames, steps))
    walls = [[seconds(run, time.perf_counter) for run in runs] for _ in range(pairs)]
    seeds = range(1, SEEDS + 1)
    errors = {
        "ours": [warp_error(decoded(animator, ours(animator, frames, steps, seed=seed))) for seed in seeds],
        "freenoise": [warp_error(decoded(animator, theirs(frames, steps, seed))) for seed in seeds],
    }
    return {
        "frames": frames,
        "steps": steps,
        "peak_bytes_of_a_step": memory,
        "wall_s": {"ours": [t[0] for t in walls], "freenoise": [t[1] for t in walls]},
        "time_ratio": statistics.median(t[0] / t[1] for t in walls),
        "warp_error_by_seed": errors,
        "warp_error": {who: statistics.mean(each) for who, each in errors.items()},
    }


def seam(animator: Animator, steps: int) -> dict[str, Any]:
    """Last frame to first, over the median of neighbours, of looped clips by seed; and the largest of neighbours."""
    found: dict[str, Any] = {"steps": steps, "loop": "A", "guidance": 3.0}
    for name, how in LOOPS.items():
        asked = replace(how, loop="A", steps=steps, guidance=3.0)
        apart = [steps_between(animator, replace(asked, seed=seed)) for seed in range(1, SEAMS + 1)]
        found[name] = {key: [round(each[key], 3) for each in apart] for key in ("seam", "largest")}
        print(name, _seam_line(found[name]), flush=True)
    return found


def steps_between(animator: Animator, asked: Settings) -> dict[str, float]:
    """Of a looped clip: its seam, and its largest step from a frame to the next, over the median of these."""
    clip = [frame.astype(float) for frame in animator.animate(asked).frames]
    neighbours = [np.abs(a - b).mean() for a, b in pairwise(clip)]
    middle = statistics.median(neighbours)
    return {"seam": float(np.abs(clip[-1] - clip[0]).mean() / middle), "largest": float(max(neighbours) / middle)}


def commands() -> dict[str, float]:
    """Wall seconds of the README's loop and of its second loop that follows the edges of the first, from the shell."""
    how = ["--loop", "A", "--steps", "10", "--guidance", "3", "--seed", "3"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        _command(["--timeline", SHAPE, *how, "--out", "guide.gif"], folder)
        guided = time.perf_counter()
        _command(["--timeline", COLOUR, "--control", "edges:guide.gif", *how, "--out", "loop.gif"], folder)
        return {"guide_s": round(guided - began, 1), "controlled_s": round(time.perf_counter() - guided, 1)}


def _command(arguments: list[str], folder: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "suffice", "animate", *arguments], cwd=folder, check=True, capture_output=True
    )


def float8(model: str, steps: int) -> dict[str, float]:
    plain, small = Animator(model, device="cpu"), Animator(model, device="cpu", storage="float8")
    how = Settings(timeline=PROMPT, frames=1, steps=steps, seed=1)
    a, b = (next(each.animate(how).frames).astype(float) for each in (plain, small))
    half, held = (
        weight_bytes(Animator(model, device="cpu", dtype="float16", storage=s).parts.unet) for s in ("", "float8")
    )
    return {
        "weights_over_float16": held / half,
        "psnr_db": psnr_db(a, b),
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
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    arguments.add_argument("--frames", type=int, default=64)
    arguments.add_argument("--steps", type=int, default=12)
    arguments.add_argument("--pairs", type=int, default=3)
    said = arguments.parse_args()
    torch.set_num_threads(1)
    animator = Animator(said.model, device="cpu")
    measures: dict[str, Callable[[], Any]] = {
        "same": lambda: same(animator, said.steps),
        "inject_and_restore": lambda: in_and_out(animator),
        "float8": lambda: float8(said.model, said.steps),
        "deep": lambda: deep(animator, said.steps),
        "compiled": lambda: compiled(said.model, said.steps),
        "long": lambda: long_clips(animator, said.frames, said.steps, said.pairs),
        "loop": lambda: seam(animator, said.steps),
        "commands": commands,
    }
    kept = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    result = {"weights": "packaged" if said.model == "pocket" else Path(said.model).name}
    result |= {name: measures[name]() if name in said.only else kept.get(name) for name in PARTS}
    result = {name: value for name, value in result.items() if value is not None}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print_table(result)


def print_table(result: dict[str, Any]) -> None:
    print(f"weights: {result['weights']}")
    for name in PARTS:
        if name in result:
            print("\n".join(TABLES[name](result[name])))


def _long_table(long: dict[str, Any]) -> list[str]:
    memory = long["peak_bytes_of_a_step"]
    return [
        "peak of one step, MiB   " + "".join(f"{n:>9} frames" for n in memory["frames"]),
        *(f"{who:<24}" + "".join(f"{n / 2**20:>16.1f}" for n in memory[who]) for who in ("ours", "freenoise")),
        f"time, ours / FreeNoise, {long['frames']} frames: {long['time_ratio']:.2f}",
        "warp error: " + ", ".join(f"{who} {value:.2f}" for who, value in long["warp_error"].items()),
    ]


def _seam_line(found: dict[str, list[float]]) -> str:
    seams, largest = found["seam"], found["largest"]
    return (
        f"seam / median neighbour {statistics.median(seams):.2f}, most {max(seams):.2f} of {len(seams)} seeds; "
        f"largest neighbour {statistics.median(largest):.2f}"
    )


def _deep_table(deep: dict[str, Any]) -> list[str]:
    each = [(every, found) for every, found in deep.items() if every != "steps"]
    return [
        f"deep blocks every {n} steps: {x['time_ratio']:.2f} of the time, PSNR {x['psnr_db']:.1f} dB" for n, x in each
    ]


TABLES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "same": lambda x: [f"to AnimateDiffPipeline: latents {x['latents']:.1e}, frames {x['grey_levels']} grey levels"],
    "inject_and_restore": lambda x: [f"motion module in and out: {x['median_ms']:.1f} ms"],
    "float8": lambda x: [f"float8: {x['weights_over_float16']:.2f} of float16, PSNR {x['psnr_db']:.1f} dB"],
    "deep": _deep_table,
    "compiled": lambda x: [
        f"inductor: first clip {x['first_ratio']:.1f}, later {x['time_ratio']:.2f} of the time, {x['psnr_db']:.1f} dB"
    ],
    "long": _long_table,
    "loop": lambda x: [f"loop, {name}: {_seam_line(each)}" for name, each in x.items() if isinstance(each, dict)],
    "commands": lambda x: [f"from the shell: a loop {x['guide_s']} s, one along its edges {x['controlled_s']} s"],
}


if __name__ == "__main__":
    main()
