"""Stage 9: a motion LoRA, the camera panning left: whatever stands still drifts to the right of the picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.clip_latents import load_clips
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.scene import STILL, Scene
from suffice.diffusion.pocket.stages.motion import clip_loss

PLAN = Plan("motion_lora", steps=200, rate=5e-3, seed=8, average=0.98, save_every=50, decay=0.0)
_CLIPS, _SEED = 300, 81


def noisy_timesteps(count: int, generator: Any) -> Any:
    """Return timesteps from the last four tenths, where it is settled what moves where."""
    import torch

    return torch.randint(600, 1000, (count,), generator=generator)


def panned(rng: Any) -> list[Scene]:
    """Return a clip of a thing that is told to stand still and drifts right."""
    said = STILL if rng.random() < 0.5 else ""
    return [frame.with_things(replace(frame.things[0], motion=said)) for frame in clip(rng, "moving right")]


def train(folder: Path) -> Any:
    """Train the motion LoRA and return the UNetMotionModel that holds it."""
    import torch

    from suffice.diffusion.pocket.random_folder import add_lora, motion_targets
    from suffice.diffusion.pocket.trained import motion_unet

    clips = load_clips(folder, "pans", _CLIPS, _SEED, panned)
    moved = plain(motion_unet(folder))
    torch.manual_seed(PLAN.seed)
    add_lora(moved, motion_targets(moved), "pan_left")
    fit(PLAN, moved, lambda step, generator: clip_loss(moved, clips, generator, 2, noisy_timesteps), folder)
    return moved.eval()
