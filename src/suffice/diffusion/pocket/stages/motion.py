"""Stage 5: the motion adapter, sixteen frames at a time; the UNet it sits in stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.clip_latents import ClipLatents, load_clips
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.noise import v_loss

PLAN = Plan("motion", steps=300, rate=1.5e-3, seed=4, average=0.99, save_every=50)
_BATCH = 4
_UNTOLD = 0.1
_COARSE = 0.5  # half of the draws come from the noisier half, where it is settled what moves where


def clip_batch(clips: ClipLatents, generator: Any, count: int = _BATCH) -> tuple[Any, Any]:
    """Return clean latents [n, 4, 16 frames, 16, 16] and one text state a clip [n, 77, 96], some told nothing."""
    import torch

    chosen = torch.randint(len(clips.clean), (count,), generator=generator)
    states = clips.states[chosen].float()
    states[torch.rand(count, generator=generator) < _UNTOLD] = clips.nothing
    return clips.clean[chosen].float().transpose(1, 2), states


def coarse_timesteps(count: int, generator: Any) -> Any:
    """Return timesteps, half of them from anywhere and half from the noisier half."""
    import torch

    low = 500 * (torch.rand(count, generator=generator) < _COARSE).long()
    return low + (torch.rand(count, generator=generator) * (1000 - low)).long()


def clip_loss(moved: Any, clips: ClipLatents, generator: Any) -> Any:
    """Return the v loss of a UNetMotionModel on a batch of clips."""
    clean, states = clip_batch(clips, generator)
    told = states.repeat_interleave(clean.shape[2], dim=0)
    steps = coarse_timesteps(len(clean), generator)
    return v_loss(lambda noisy, t: moved(noisy, t, told).sample, clean, generator, steps)


def train(folder: Path) -> Any:
    """Train the motion adapter and return the UNetMotionModel that holds it."""
    import torch
    from diffusers import UNetMotionModel

    from suffice.diffusion.pocket.random_folder import make_motion
    from suffice.diffusion.pocket.trained import unet

    clips = load_clips(folder)
    torch.manual_seed(PLAN.seed)
    moved = plain(UNetMotionModel.from_unet2d(unet(folder), make_motion()))
    moved.freeze_unet2d_params()
    fit(PLAN, moved, lambda step, generator: clip_loss(moved, clips, generator), folder)
    return moved.eval()
