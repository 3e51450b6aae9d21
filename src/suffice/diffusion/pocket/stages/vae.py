"""Stage 1: the autoencoder, 64 by 64 RGB to a 4 by 16 by 16 latent.

The first three latent channels are drawn towards the picture itself at a quarter of its side. That costs
nothing (they would hold colour anyway) and makes latents smooth, so the diffusion model has an easier thing to learn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.fit import Plan, fit

PLAN = Plan("vae", steps=1600, rate=2e-3, seed=1, average=0.998)
_BATCH, _CROP, _PICTURES = 32, 32, 8000
_WHOLE_AFTER = 0.8  # whole pictures for the last share of the steps: group norm sees what it will see
_WHOLE_BATCH = 12
_BLUR = 0.06  # noise the decoder must forgive: a diffusion model never hits a latent exactly


def _crop(pictures: Any, step: int, generator: Any) -> Any:
    import torch

    whole = step >= PLAN.steps * _WHOLE_AFTER
    chosen = pictures[torch.randint(len(pictures), (_WHOLE_BATCH if whole else _BATCH,), generator=generator)]
    if whole:
        return chosen
    top, left = torch.randint(0, 64 - _CROP + 1, (2,), generator=generator).tolist()
    return chosen[:, :, top : top + _CROP, left : left + _CROP]


def _loss(vae: Any, pixels: Any, generator: Any) -> Any:
    import torch
    import torch.nn.functional as f

    latent = vae.encode(pixels).latent_dist
    noise = torch.randn(latent.mean.shape, generator=generator)
    shown = vae.decode(latent.mean + (latent.std + _BLUR) * noise).sample
    small = f.avg_pool2d(pixels, 4)
    rebuilt = f.mse_loss(shown, pixels) + 0.1 * f.l1_loss(shown, pixels)
    return (
        rebuilt
        + 0.05 * f.mse_loss(latent.mean[:, :3], 1.5 * small)
        + 1e-4 * latent.kl().mean() / latent.mean[0].numel()
    )


def train(folder: Path) -> Any:
    """Train the autoencoder and return it, in float32."""
    import torch
    from diffusers import AutoencoderKL

    from suffice.diffusion.pocket.data import as_pixels, scenes

    torch.manual_seed(PLAN.seed)
    vae = AutoencoderKL(**configs.VAE)
    pictures = as_pixels(scenes(_PICTURES, seed=11))
    fit(PLAN, vae, lambda step, generator: _loss(vae, _crop(pictures, step, generator).float(), generator), folder)
    return vae.eval()
