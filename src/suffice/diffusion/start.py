"""The latents a clip starts from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.denoise import Steps


def fade(frames: int, power: float, scale: float) -> list[float]:
    """How much of a first picture each frame starts with: ``max(0, 1 - i^power / scale)``."""
    return [max(0.0, 1 - number**power / scale) for number in range(frames)]


def fade_in_latents(
    first: torch.Tensor | None, last: torch.Tensor | None, noise: torch.Tensor, power: float, scale: float
) -> torch.Tensor:
    """Between a first picture, a last one and noise; the first frame is the first picture, the last the last.

    Where both pictures together count more than 1, their shares are scaled to 1; what is left is noise.

    Args:
        first: latents of the first picture ``[1, channels, 1, height, width]``, or None.
        last: of the last picture, or None.
        noise: ``[1, channels, frames, height, width]``.
        power, scale: as in :func:`fade`.
    """
    import torch

    frames = noise.shape[2]
    falling = torch.tensor(fade(frames, power, scale), dtype=noise.dtype)
    forward = falling if first is not None else torch.zeros(frames)
    backward = falling.flip(0) if last is not None else torch.zeros(frames)
    if first is not None and last is not None and frames > 1:
        forward[-1], backward[0] = 0, 0
    total = (forward + backward).clamp_min(1)
    a, b = ((share / total).to(noise)[None, None, :, None, None] for share in (forward, backward))
    mixed = noise * (1 - a - b)
    for picture, share in ((first, a), (last, b)):
        if picture is not None:
            mixed = mixed + picture * share
    return mixed


def start_latents(steps: Steps, source: torch.Tensor | None, noise: torch.Tensor, strength: float) -> torch.Tensor:
    """Noise as the scheduler wants it, or `source` with as much noise as belongs to the first step taken."""
    if source is None or strength >= 1:
        return noise * steps.scheduler.init_noise_sigma
    return steps.scheduler.add_noise(source, noise, steps.timesteps[:1])


def keep_outside(steps: Steps, source: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor) -> Any:
    """After each step, what lies outside `mask` (1 paints) is `source` with the noise of the next step."""

    def keep(latents: torch.Tensor, step: int) -> torch.Tensor:
        outside = source
        if step + 1 < len(steps.timesteps):
            outside = steps.scheduler.add_noise(source, noise, steps.timesteps[step + 1 : step + 2])
        return latents * mask + outside * (1 - mask)

    return keep
