"""Stage 4: the UNet goes on learning, on clips through a motion adapter and on stills at once.

A motion adapter reads no text. What a caption says about motion reaches it through the UNet's features, which a UNet
that has seen stills alone need not carry. So the UNet learns to carry it here, and stays what it is on stills by
learning from them too (joint image and video training, Ho et al. 2022). The UNet is what this stage is for: its
adapter never learnt to tell the motions apart, and stage `moves` trains the one that ships from new.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.clip_latents import ClipLatents, load_clips
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import load_latents
from suffice.diffusion.pocket.noise import v_loss
from suffice.diffusion.pocket.stages.unet import still_loss, thing_weight

PLAN = Plan("motion", steps=1300, rate=1.5e-3, seed=4, average=0.995, optimiser="muon")
_CLIPS, _STILLS = 2, 24
_UNTOLD = 0.1
_COARSE = 0.5  # half of the draws come from the noisier half, where it is settled what moves where


def clip_batch(clips: ClipLatents, generator: Any, count: int = _CLIPS) -> tuple[Any, Any]:
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


def _weight(clean: Any, steps: Any) -> Any:
    """Return how much each place of each frame counts, [n, 1, frames, 16, 16]."""
    frames = clean.transpose(1, 2)
    weight = thing_weight(frames.flatten(0, 1), steps.repeat_interleave(frames.shape[1]))
    return weight.unflatten(0, frames.shape[:2]).transpose(1, 2)


def clip_loss(
    moved: Any,
    clips: ClipLatents,
    generator: Any,
    count: int = _CLIPS,
    timesteps: Any = coarse_timesteps,
    shown: slice = slice(None),
) -> Any:
    """Return the v loss of a UNetMotionModel on frames of `count` clips, at `timesteps(count, generator)`."""
    clean, states = clip_batch(clips, generator, count)
    clean = clean[:, :, shown]
    told = states.repeat_interleave(clean.shape[2], dim=0)
    steps = timesteps(len(clean), generator)
    return v_loss(lambda noisy, t: moved(noisy, t, told).sample, clean, generator, steps, _weight(clean, steps))


def sharing(unet: Any) -> Any:
    """Return a UNetMotionModel around the very weights of `unet`: what one learns the other knows."""
    from diffusers import UNetMotionModel

    from suffice.diffusion.pocket.random_folder import make_motion

    moved = UNetMotionModel.from_unet2d(unet, make_motion())
    for name, weight in unet.named_parameters():
        owner, _, last = name.rpartition(".")
        setattr(moved.get_submodule(owner), last, weight)
    return moved


def train(folder: Path) -> Any:
    """Train the motion adapter in its UNet and return the UNetMotionModel that holds both."""
    import torch

    from suffice.diffusion.pocket.trained import unet

    clips, latents = load_clips(folder), load_latents(folder)
    torch.manual_seed(PLAN.seed)
    still = plain(unet(folder, "unet")).requires_grad_(True)
    moved = plain(sharing(still)).requires_grad_(True)

    def loss(_: int, generator: Any) -> Any:
        chosen = torch.randint(len(latents.clean), (_STILLS,), generator=generator)
        return still_loss(still, latents, chosen, generator) + clip_loss(moved, clips, generator)

    fit(PLAN, moved, loss, folder)
    return moved.eval()
