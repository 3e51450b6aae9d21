"""Stage 7: the inpainting UNet: the same UNet, which also sees a mask and what is left of the picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.noise import v_loss
from suffice.diffusion.pocket.scene import Scene

PLAN = Plan("inpaint", steps=600, rate=1.5e-3, seed=6, average=0.99, save_every=100, optimiser="muon")
_BATCH = 32
_UNTOLD = 0.1
_SIDE = 64


def _box(rng: Any, told: Scene) -> tuple[float, float, float, float]:
    """Return a box around one of the things, or anywhere, or the whole picture."""
    lot = rng.random()
    if lot < 0.1:
        return 0.0, 0.0, 1.0, 1.0
    if lot < 0.7:
        thing = told.things[int(rng.integers(len(told.things)))]
        x, y = thing.centre_xy
        reach = thing.radius + rng.uniform(0.04, 0.12, 4)
        return x - reach[0], y - reach[1], x + reach[2], y + reach[3]
    x, y = rng.uniform(0.2, 0.8, 2)
    half = rng.uniform(0.12, 0.35, 2)
    return x - half[0], y - half[1], x + half[0], y + half[1]


def masks(rng: Any, told: list[Scene]) -> Any:
    """Return a mask a scene, 1 where it is to be painted, float32 [n, 1, 64, 64]."""
    import torch

    drawn = torch.zeros(len(told), 1, _SIDE, _SIDE)
    for n, one in enumerate(told):
        x0, y0, x1, y1 = (round(min(max(edge, 0.0), 1.0) * _SIDE) for edge in _box(rng, one))
        drawn[n, :, y0:y1, x0:x1] = 1
    return drawn


def widened(plain: Any) -> Any:
    """Return the nine-channel UNet that computes what `plain` does until it is taught to look at the rest."""
    import torch
    from diffusers import UNet2DConditionModel

    from suffice.diffusion.pocket.random_folder import inpaint_config

    wide = UNet2DConditionModel(**inpaint_config())
    weights = plain.state_dict()
    first = weights["conv_in.weight"]
    weights["conv_in.weight"] = torch.cat([first, torch.zeros(len(first), 5, 3, 3)], dim=1)
    wide.load_state_dict(weights)
    return wide


def train(folder: Path) -> Any:
    """Train the inpainting UNet and return it."""
    import numpy as np
    import torch
    import torch.nn.functional as f

    from suffice.diffusion.pocket.data import as_pixels, scenes
    from suffice.diffusion.pocket.latents import COUNT, SEED, load_latents
    from suffice.diffusion.pocket.trained import unet, vae

    latents, told, eyes = load_latents(folder), scenes(COUNT, SEED), vae(folder)
    torch.manual_seed(PLAN.seed)
    wide = plain(widened(unet(folder)))

    def loss(step: int, generator: Any) -> Any:
        chosen = torch.randint(COUNT, (_BATCH,), generator=generator)
        some = [told[n] for n in chosen.tolist()]
        mask = masks(np.random.default_rng(PLAN.seed * 1_000_003 + step), some)
        with torch.no_grad():
            kept = eyes.encode(as_pixels(some).float() * (1 - mask)).latent_dist.mean
        states = latents.states[chosen].float()
        states[torch.rand(_BATCH, generator=generator) < _UNTOLD] = latents.nothing
        seen = torch.cat([f.interpolate(mask, size=kept.shape[-2:]), kept], dim=1)
        clean = latents.clean[chosen].float()
        return v_loss(lambda noisy, t: wide(torch.cat([noisy, seen], dim=1), t, states).sample, clean, generator)

    fit(PLAN, wide, loss, folder)
    return wide.eval()
