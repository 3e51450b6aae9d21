"""Stage 4: the UNet goes on with another optimiser, mostly where the place of a thing shows and words tell its kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.latents import load_latents
from suffice.diffusion.pocket.noise import v_loss
from suffice.diffusion.pocket.stages.unet import batch, thing_weight

PLAN = Plan("outlines", steps=1100, rate=1e-3, seed=9, average=0.99, optimiser="muon")
_BATCH = 32
_SHARE, _LOW, _HIGH = 0.6, 350, 720


def _timesteps(count: int, generator: Any) -> Any:
    import torch

    banded = torch.rand(count, generator=generator) < _SHARE
    drawn = torch.rand(count, generator=generator)
    return torch.where(banded, _LOW + drawn * (_HIGH - _LOW), drawn * 1000).long()


def train(folder: Path) -> Any:
    """Train the UNet further and return it, in float32."""
    import torch

    from suffice.diffusion.pocket.trained import unet

    latents, model = load_latents(folder), plain(unet(folder, "unet")).requires_grad_(True)

    def loss(step: int, generator: Any) -> Any:
        chosen = torch.randint(len(latents.clean), (_BATCH,), generator=generator)
        clean, states = batch(latents, chosen, generator)
        steps = _timesteps(_BATCH, generator)
        weight = thing_weight(clean, steps)
        return v_loss(lambda noisy, t: model(noisy, t, states).sample, clean, generator, steps, weight)

    fit(PLAN, model, loss, folder)
    return model.eval()
