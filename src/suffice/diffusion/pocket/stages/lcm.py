"""Stage 8: the LCM LoRA: four steps for thirty (Luo et al. 2023, LCM-LoRA).

The UNet with the LoRA learns to jump from any noisy latent to the end of its guided path: its jump from time t must
match its own jump from a time a little earlier on the path, which the UNet without the LoRA walks by one DDIM step.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket import configs
from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.noise import signal_and_noise

PLAN = Plan("lcm", steps=300, rate=1.5e-3, seed=7, average=0.98, save_every=100, decay=0.0)
_BATCH = 32
_SOLVER_STEPS = 50
_GUIDANCE = 3.0
_SCALE, _SPREAD = 10.0, 0.5  # as LCMScheduler has them


def _ends(v: Any, noisy: Any, t: Any) -> tuple[Any, Any]:
    """Return the clean latent and the noise that a v prediction means."""
    signal, noise = signal_and_noise(t, noisy)
    return signal * noisy - noise * v, signal * v + noise * noisy


def _jump(v: Any, noisy: Any, t: Any) -> Any:
    """Return the consistency function: the clean latent, and at t = 0 the latent itself."""
    scaled = (t.float() * _SCALE).reshape(-1, 1, 1, 1)
    skip = _SPREAD**2 / (scaled**2 + _SPREAD**2)
    return skip * noisy + scaled / (scaled**2 + _SPREAD**2).sqrt() * _ends(v, noisy, t)[0]


def _guided_step(predict: Any, noisy: Any, t: Any, earlier: Any) -> Any:
    clean, noise_seen = (plain + _GUIDANCE * (told - plain) for told, plain in zip(*predict(noisy, t), strict=True))
    signal, noise = signal_and_noise(earlier, noisy)
    return signal * clean + noise * noise_seen


def _teacher(model: Any, states: Any, nothing: Any) -> Any:
    """Return a function to the told and the untold (clean, noise), both by the UNet without the LoRA."""
    import torch

    untold = nothing.expand_as(states)

    def predict(noisy: Any, t: Any) -> tuple[Any, Any]:
        model.disable_adapters()
        with torch.autocast(states.device.type, torch.bfloat16):
            v = model(torch.cat([noisy] * 2), torch.cat([t] * 2), torch.cat([states, untold])).sample.float()
        model.enable_adapters()
        told, plain = v.chunk(2)
        return _ends(told, noisy, t), _ends(plain, noisy, t)

    return predict


def _loss(model: Any, clean: Any, states: Any, nothing: Any, generator: Any) -> Any:
    import torch

    stride = 1000 // _SOLVER_STEPS
    t = torch.randint(1, _SOLVER_STEPS + 1, (len(clean),), generator=generator) * stride - 1
    earlier = (t - stride).clamp(min=0)
    signal, noise = signal_and_noise(t, clean)
    noisy = signal * clean + noise * torch.randn(clean.shape, generator=generator)

    def jump(latent: Any, at: Any) -> Any:
        with torch.autocast(states.device.type, torch.bfloat16):
            v = model(latent, at, states).sample
        return _jump(v.float(), latent, at)

    with torch.no_grad():
        aim = jump(_guided_step(_teacher(model, states, nothing), noisy, t, earlier), earlier)
    off = jump(noisy, t) - aim
    return ((off**2 + 1e-6).sqrt() - 1e-3).mean()  # pseudo-Huber


def train(folder: Path) -> Any:
    """Train the LCM LoRA and return the UNet that holds it."""
    import torch

    from suffice.diffusion.pocket.latents import load_latents
    from suffice.diffusion.pocket.random_folder import add_lora
    from suffice.diffusion.pocket.trained import unet

    latents, model = load_latents(folder), plain(unet(folder))
    torch.manual_seed(PLAN.seed)
    add_lora(model, configs.LORA_TARGETS, "lcm")

    def loss(step: int, generator: Any) -> Any:
        chosen = torch.randint(len(latents.clean), (_BATCH,), generator=generator)
        return _loss(model, latents.clean[chosen].float(), latents.states[chosen].float(), latents.nothing, generator)

    fit(PLAN, model, loss, folder)
    return model.eval()
