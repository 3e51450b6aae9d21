"""Stage 5: a motion adapter from new, in the UNet as it is now: what moves where.

The UNet stays frozen, so that whatever else sits on it need not learn again. What decides whether an adapter learns to
read a motion in a caption at all is how it starts (see `ready`), and that every step shows opposite ways in strong
noise, where the caption alone tells them apart.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.clip import clip
from suffice.diffusion.pocket.clip_latents import COUNT, SEED, ClipLatents, load_clips
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.noise import v_loss
from suffice.diffusion.pocket.scene import MOTIONS
from suffice.diffusion.pocket.stages.motion import clip_loss

PLAN = Plan("moves", steps=1700, rate=5e-3, seed=9, average=0.995, optimiser="muon")
_CLIPS = 2
_WAYS = MOTIONS[:6]
_SHARP, _LOUD, _HEARD = 2.0, 3.0, 0.3


def noisy_timesteps(count: int, generator: Any) -> Any:
    """Return timesteps, nearly half of them from the last fifth: what moves where is settled in strong noise.

    There a caption is all that tells it; in weaker noise the frames themselves show it, and nobody learns to read.
    """
    import torch

    return (1000 * (1 - torch.rand(count, generator=generator) ** 2)).long().clamp(max=999)


def strong_noise(count: int, generator: Any) -> Any:
    """Return timesteps from the last tenth."""
    import torch

    return torch.randint(900, 1000, (count,), generator=generator)


def strong_loss(moved: Any, shown: ClipLatents, generator: Any) -> Any:
    """Return the v loss on all clips of `shown` in strong noise, all told."""
    clean = shown.clean.float().transpose(1, 2)
    told = shown.states.float().repeat_interleave(clean.shape[2], dim=0)
    steps = strong_noise(len(clean), generator)
    return v_loss(lambda noisy, t: moved(noisy, t, told).sample, clean, generator, steps)


def ready(adapter: Any) -> Any:
    """Return the adapter with attention that looks at neighbouring frames and hands on which frame it is.

    With random weights attention looks at all frames alike, so that nothing that comes out says where in the clip a
    frame is; and where a frame is, times what the caption says, is what has to be learnt. Nor may the last layers be
    zero: then the others hear nothing for long.
    """
    import torch

    with torch.no_grad():
        for name, weight in adapter.named_parameters():
            if name.endswith(("to_q.weight", "to_k.weight")):
                weight.copy_(_SHARP * waves(len(weight), configs.MOTION["motion_num_attention_heads"]))
            elif name.endswith("to_v.weight"):
                weight.copy_(torch.eye(len(weight)))
            elif name.endswith("to_out.0.weight"):
                weight.copy_(_LOUD * torch.eye(len(weight)))
            elif ".proj_out.weight" in name:
                torch.nn.init.orthogonal_(weight, _HEARD)
    return adapter


def waves(width: int, heads: int) -> Any:
    """Return the permutation that gives every head slow and fast waves of the position, sine and cosine in pairs."""
    import torch

    pairs = torch.arange(width // 2).reshape(-1, heads).T.flatten()
    return torch.eye(width)[torch.stack([2 * pairs, 2 * pairs + 1], 1).flatten()]


def train(folder: Path) -> Any:
    """Train a motion adapter in the frozen UNet and return the UNetMotionModel that holds it."""
    import numpy as np
    import torch
    from diffusers import UNetMotionModel

    from suffice.diffusion.pocket.random_folder import make_motion
    from suffice.diffusion.pocket.trained import unet

    clips, rng = load_clips(folder), np.random.default_rng(SEED)
    told = [clip(rng)[0].things[0].motion for _ in range(COUNT)]
    torch.manual_seed(PLAN.seed)
    moved = plain(UNetMotionModel.from_unet2d(unet(folder), ready(make_motion())))
    for name, weight in moved.named_parameters():
        weight.requires_grad_(".motion_modules." in name)

    ways = [torch.tensor([n for n, motion in enumerate(told) if motion == one]) for one in _WAYS]

    def loss(step: int, generator: Any) -> Any:
        picked = torch.stack([some[torch.randint(len(some), (1,), generator=generator)[0]] for some in ways])
        shown = ClipLatents(clips.clean[picked], clips.states[picked], clips.nothing)
        return strong_loss(moved, shown, generator) + 0.5 * clip_loss(moved, clips, generator, _CLIPS, noisy_timesteps)

    fit(PLAN, moved, loss, folder)
    return moved.eval()
