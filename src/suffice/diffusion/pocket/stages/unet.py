"""Stage 3: the UNet, which learns what words look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import Latents, load_latents
from suffice.diffusion.pocket.noise import v_loss

PLAN = Plan("unet", steps=4000, rate=1.2e-3, seed=3, average=0.997)
_EASY_STEPS, _ROUGH_STEPS = 1400, 600  # single shapes only; large batches, any timestep
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
    """Return timesteps; after the first steps half of them from where words matter, above 300."""
    import torch

    low = 300 * (torch.rand(count, generator=generator) < (0.0 if step < _ROUGH_STEPS else 0.5)).long()
    return low + (torch.rand(count, generator=generator) * (1000 - low)).long()


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
        return v_loss(lambda noisy, t: unet(noisy, t, states).sample, clean, generator, steps)

    fit(PLAN, unet, loss, folder)
    return unet.eval()
