"""Stage 3: the UNet, which learns what words look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import Latents, load_latents
from suffice.diffusion.pocket.noise import v_loss

PLAN = Plan("unet", steps=2300, rate=1.2e-3, seed=3, average=0.997)
_BATCH = 64
_EASY = 0.15  # the first share of the steps sees single things only
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

    pool = latents.singles if step < _EASY * PLAN.steps else None
    picked = torch.randint(len(latents.clean) if pool is None else len(pool), (_BATCH,), generator=generator)
    return picked if pool is None else pool[picked]


def train(folder: Path) -> Any:
    """Train the UNet and return it, in float32."""
    import torch
    from diffusers import UNet2DConditionModel

    latents = load_latents(folder)
    torch.manual_seed(PLAN.seed)
    unet = plain(UNet2DConditionModel(**configs.UNET))

    def loss(step: int, generator: Any) -> Any:
        clean, states = batch(latents, _chosen(latents, step, generator), generator)
        return v_loss(lambda noisy, t: unet(noisy, t, states).sample, clean, generator)

    fit(PLAN, unet, loss, folder)
    return unet.eval()
