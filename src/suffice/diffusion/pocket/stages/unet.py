"""Stage 3: the UNet, which learns what words look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import Latents, load_latents
from suffice.diffusion.pocket.noise import v_loss

PLAN = Plan("unet", steps=4800, rate=1.2e-3, seed=3, average=0.997)
_ROUGH_STEPS = 600  # until here large batches and any timestep: grounds and colours
_EASY_STEPS = 1400  # until here single shapes only: what a colour word and a place word mean
_LAYOUT_STEPS = 2600  # until here mostly strong noise: what stands where; from here on things count more than grounds
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

    size = 64 if step < _ROUGH_STEPS else 32
    pool = latents.singles if step < _EASY_STEPS else None
    picked = torch.randint(len(latents.clean) if pool is None else len(pool), (size,), generator=generator)
    return picked if pool is None else pool[picked]


def _timesteps(step: int, count: int, generator: Any) -> Any:
    """Return timesteps: any of them, or from the band where is settled what is learnt now."""
    import torch

    share, low, high = (0.0, 0, 1000) if step < _ROUGH_STEPS else (0.5, 300, 1000)
    if step >= _LAYOUT_STEPS:
        share, low, high = 0.6, 150, 650
    banded = (torch.rand(count, generator=generator) < share).long()
    drawn = torch.rand(count, generator=generator)
    return (banded * low + drawn * torch.where(banded > 0, high - low, 1000)).long()


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


def train(folder: Path) -> Any:
    """Train the UNet and return it, in float32."""
    import torch
    from diffusers import UNet2DConditionModel

    latents = load_latents(folder)
    torch.manual_seed(PLAN.seed)
    unet = plain(UNet2DConditionModel(**configs.UNET))

    def loss(step: int, generator: Any) -> Any:
        clean, states = batch(latents, _chosen(latents, step, generator), generator)
        steps = _timesteps(step, len(clean), generator)
        weight = thing_weight(clean, steps) if step >= _LAYOUT_STEPS else 1.0
        return v_loss(lambda noisy, t: unet(noisy, t, states).sample, clean, generator, steps, weight)

    fit(PLAN, unet, loss, folder)
    return unet.eval()
