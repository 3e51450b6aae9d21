"""Between what a network predicts (noise, velocity or the picture) and noise.

What rests is held as *noise*: with it held, the solver's small steps add up to one large step of DDIM. A velocity held
would bend the path, since it is the direction at one point of it (Salimans and Ho, arXiv:2202.00512, appendix D).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor


def level(scheduler: Any, step: int) -> tuple[float, float]:
    """How much of the picture and of the noise there is in the network's input at a step: ``a² + s² = 1``."""
    if hasattr(scheduler, "sigmas"):
        sigma = float(scheduler.sigmas[step])
        return (1 + sigma**2) ** -0.5, sigma * (1 + sigma**2) ** -0.5
    kept = float(scheduler.alphas_cumprod[int(scheduler.timesteps[step])])
    return kept**0.5, (1 - kept) ** 0.5


def to_noise(kind: str, output: Tensor, sample: Tensor, at: tuple[float, float]) -> Tensor:
    """Noise from a network's `output` for its input `sample`; `kind` as diffusers' ``prediction_type``."""
    picture, noise = at
    if kind == "epsilon":
        return output
    if kind == "v_prediction":
        return noise * sample + picture * output
    if kind == "sample":
        return (sample - picture * output) / noise
    raise UsageError(f"a network that predicts {kind!r} cannot rest: epsilon, v_prediction or sample")


def from_noise(kind: str, held: Tensor, sample: Tensor, at: tuple[float, float]) -> Tensor:
    """The inverse of :func:`to_noise`."""
    picture, noise = at
    if kind == "epsilon":
        return held
    if kind == "v_prediction":
        return (held - noise * sample) / picture
    return (sample - noise * held) / picture
