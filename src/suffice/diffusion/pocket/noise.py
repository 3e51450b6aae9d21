"""The noise schedule and the v-prediction loss (Salimans & Ho 2022) that every stage trains on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from suffice.diffusion.pocket import configs


@cache
def kept() -> Any:
    """Return the share of signal variance left at each of the 1000 steps (alphas_cumprod)."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(**configs.SCHEDULER).alphas_cumprod


def signal_and_noise(timesteps: Any, like: Any) -> tuple[Any, Any]:
    """Return the factors of signal and of noise at `timesteps`, shaped to multiply `like`."""
    share = kept().to(timesteps.device)[timesteps].reshape(-1, *[1] * (like.ndim - 1))
    return share.sqrt(), (1 - share).sqrt()


def v_error(
    predict: Callable[[Any, Any], Any], clean: Any, generator: Any, timesteps: Any = None, noise: Any = None
) -> Any:
    """Return by how much v is missed everywhere, at random timesteps and in drawn noise unless they are given.

    The network runs in bfloat16, the error is of float32.
    """
    import torch

    if timesteps is None:
        timesteps = torch.randint(0, 1000, (len(clean),), generator=generator)
    signal, spread = signal_and_noise(timesteps, clean)
    drawn = torch.randn(clean.shape, generator=generator) if noise is None else noise
    with torch.autocast(clean.device.type, torch.bfloat16):
        v = predict(signal * clean + spread * drawn, timesteps)
    return v.float() - (signal * drawn - spread * clean)


def v_loss(
    predict: Callable[[Any, Any], Any], clean: Any, generator: Any, timesteps: Any = None, weight: Any = 1.0
) -> Any:
    """Return the mean square of `v_error`, times `weight` where one is given for each place."""
    return (v_error(predict, clean, generator, timesteps) ** 2 * weight).mean()
