"""Stage 6: the edge ControlNet; it starts as a copy of the UNet's lower half, and the UNet stays as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from suffice.diffusion.pocket.attention import plain
from suffice.diffusion.pocket.draw import draw
from suffice.diffusion.pocket.edges import as_hint
from suffice.diffusion.pocket.fit import Plan, fit
from suffice.diffusion.pocket.noise import v_loss
from suffice.diffusion.pocket.scene import Scene

PLAN = Plan("controlnet", steps=500, rate=1.5e-3, seed=5, average=0.99, save_every=100, optimiser="muon")
_BATCH = 32
_UNTOLD = 0.3  # captions withheld more often than elsewhere, so that edges are read and not guessed from words


def hints(told: list[Scene]) -> Any:
    """Return the edges of scenes, float32 [n, 3, 64, 64]."""
    import numpy as np
    import torch

    return torch.from_numpy(np.stack([as_hint(draw(one)) for one in told])).to(torch.get_default_device())


def controlled(unet: Any, control: Any, noisy: Any, t: Any, states: Any, hint: Any, strength: float = 1.0) -> Any:
    """Return the UNet's prediction under an edge hint."""
    down, mid = control(noisy, t, states, hint, conditioning_scale=strength, return_dict=False)
    return unet(noisy, t, states, down_block_additional_residuals=down, mid_block_additional_residual=mid).sample


def train(folder: Path) -> Any:
    """Train the ControlNet and return it."""
    import torch

    from suffice.diffusion.pocket.data import scenes
    from suffice.diffusion.pocket.latents import COUNT, SEED, load_latents
    from suffice.diffusion.pocket.random_folder import make_controlnet
    from suffice.diffusion.pocket.trained import unet

    latents, told, frozen = load_latents(folder), scenes(COUNT, SEED), plain(unet(folder))
    torch.manual_seed(PLAN.seed)
    control = plain(make_controlnet(frozen)).train().requires_grad_(True)

    def loss(step: int, generator: Any) -> Any:
        chosen = torch.randint(COUNT, (_BATCH,), generator=generator)
        states = latents.states[chosen].float()
        states[torch.rand(_BATCH, generator=generator) < _UNTOLD] = latents.nothing
        hint = hints([told[n] for n in chosen.tolist()])
        clean = latents.clean[chosen].float()
        return v_loss(lambda noisy, t: controlled(frozen, control, noisy, t, states, hint), clean, generator)

    fit(PLAN, control, loss, folder)
    return control.eval()
