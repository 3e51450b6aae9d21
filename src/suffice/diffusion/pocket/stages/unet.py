"""Stage 3: the UNet, which learns what words look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import Latents, load_latents
from suffice.diffusion.pocket.noise import v_loss

PLAN = Plan("unet", steps=6500, rate=5e-3, seed=3, average=0.997, optimiser="muon")
_BATCH = 48
_EASY_STEPS = 800  # until here single shapes only: what a colour word, a kind word and a place word mean
_SHARE, _LOW, _HIGH = 0.6, 350, 720  # this share of the timesteps from the band where the kind of a thing is settled
UNTOLD = 0.1  # captions replaced by nothing, for classifier-free guidance


def batch(latents: Latents, chosen: Any, generator: Any) -> tuple[Any, Any]:
    """Return latents [n, 4, 16, 16] and text states [n, 77, 96] of the chosen scenes, some told nothing."""
    import torch

    states = latents.states[chosen].float()
    untold = torch.rand(len(chosen), generator=generator) < UNTOLD
    states[untold] = latents.nothing
    return latents.clean[chosen].float(), states


def _chosen(latents: Latents, step: int, generator: Any) -> Any:
    import torch

    pool = latents.singles if step < _EASY_STEPS else torch.arange(len(latents.clean))
    return pool[torch.randint(len(pool), (_BATCH,), generator=generator)]


def timesteps(count: int, generator: Any) -> Any:
    """Return timesteps: any of them, more often from the band where it is settled what a thing is."""
    import torch

    banded = torch.rand(count, generator=generator) < _SHARE
    drawn = torch.rand(count, generator=generator)
    return torch.where(banded, _LOW + drawn * (_HIGH - _LOW), drawn * 1000).long()


def thing_weight(clean: Any, timesteps: Any) -> Any:
    """Return how much each place counts, [n, 1, 16, 16]: things and their rims five times as much as the ground.

    Not under strong noise, where a thing may be anywhere and the weight would teach the model to see things.
    """
    import torch

    ground = clean.flatten(2).median(-1).values[..., None, None]
    thing = ((clean - ground).abs().amax(1, keepdim=True) > 0.5).float()
    near = torch.nn.functional.max_pool2d(thing, 3, 1, 1) * (timesteps < 700).reshape(-1, 1, 1, 1)
    weight = 1 + 4 * near
    return weight / weight.mean((2, 3), keepdim=True)


def still_loss(unet: Any, latents: Latents, chosen: Any, generator: Any) -> Any:
    """Return the v loss of the UNet on the chosen scenes."""
    clean, states = batch(latents, chosen, generator)
    steps = timesteps(len(clean), generator)
    weight = thing_weight(clean, steps)
    return v_loss(lambda noisy, t: unet(noisy, t, states).sample, clean, generator, steps, weight)


def train(folder: Path) -> Any:
    """Train the UNet and return it, in float32."""
    import torch
    from diffusers import UNet2DConditionModel

    latents = load_latents(folder)
    torch.manual_seed(PLAN.seed)
    unet = plain(UNet2DConditionModel(**configs.UNET))

    def loss(step: int, generator: Any) -> Any:
        return still_loss(unet, latents, _chosen(latents, step, generator), generator)

    fit(PLAN, unet, loss, folder)
    return unet.eval()
