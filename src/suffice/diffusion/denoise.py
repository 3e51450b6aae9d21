"""The one loop: from noise to latents, window by window, with any scheduler of diffusers.

Pictures, clips, inpainting, control: all of it is in what is handed in. `predict` says what the noise of some frames
is, `plan` which frames are asked about together, `keep` what must not change.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from suffice.diffusion.windows.blend import shares
from suffice.errors import UsageError

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.windows.plan import Window


class Predict(Protocol):
    """What the noise in some frames is."""

    def __call__(self, latents: torch.Tensor, t: torch.Tensor, progress: float, window: Window) -> torch.Tensor:
        """Predict.

        Args:
            latents: of the window's frames, scaled for the UNet, ``[1, channels, frames, height, width]``.
            t: the timestep.
            progress: share of the steps that lie behind, 0 to below 1.
            window: the numbers of the frames.
        """
        ...


class Windows(Protocol):
    """Which frames are asked about together."""

    def at(self, step: int) -> Sequence[Window]:
        """The windows of `step`."""
        ...


Keep = Callable[["torch.Tensor", int], "torch.Tensor"]
"""``keep(latents, step)``: the latents after a step, put right."""

OnStep = Callable[[int, int, "torch.Tensor"], None]
"""``on_step(done, of, latents)``: called after each step; may raise to stop."""


@dataclass(frozen=True)
class Steps:
    """A scheduler set to its steps.

    Attributes:
        scheduler: set up, at its first step.
        timesteps: those to take.
        extra: keyword arguments for its ``step``.
    """

    scheduler: Any
    timesteps: torch.Tensor
    extra: dict[str, Any]


def set_steps(scheduler: Any, count: int, device: Any, generator: torch.Generator, strength: float = 1.0) -> Steps:
    """The steps of a whole run, or its last share `strength` when it starts from a picture."""
    try:
        scheduler.set_timesteps(count, device=device)
    except (ValueError, IndexError) as error:
        raise UsageError(f"{type(scheduler).__name__} cannot take {count} steps: {error}") from None
    order = getattr(scheduler, "order", 1)
    skipped = max(count - min(int(count * strength), count), 0) * order
    if skipped and hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(skipped)
    accepted = inspect.signature(scheduler.step).parameters
    extra = {"generator": generator} if "generator" in accepted else {}
    return Steps(scheduler, scheduler.timesteps[skipped:], extra)


def denoise(
    latents: torch.Tensor,
    steps: Steps,
    predict: Predict,
    plan: Windows,
    *,
    blend: str = "pyramid",
    keep: Keep | None = None,
    on_step: OnStep | None = None,
) -> torch.Tensor:
    """Take all steps; `latents` are ``[1, channels, frames, height, width]``, and so is what is returned."""
    import torch

    total = len(steps.timesteps)
    with torch.no_grad():
        for step, t in enumerate(steps.timesteps):
            scaled = steps.scheduler.scale_model_input(latents, t)
            noise = predict_windows(scaled, t, step / total, plan.at(step), predict, blend)
            latents = steps.scheduler.step(noise, t, latents, **steps.extra, return_dict=False)[0]
            if keep is not None:
                latents = keep(latents, step)
            if on_step is not None:
                on_step(step + 1, total, latents)
    return latents


def predict_windows(
    latents: torch.Tensor, t: torch.Tensor, progress: float, windows: Sequence[Window], predict: Predict, blend: str
) -> torch.Tensor:
    """Ask about each window and put the answers together; a frame in one window alone has its answer bit for bit."""
    import torch

    frames = latents.shape[2]
    if len(windows) == 1 and windows[0] == tuple(range(frames)):
        return predict(latents, t, progress, windows[0])
    noise = torch.zeros_like(latents)
    for window, share in zip(windows, shares(windows, frames, blend), strict=True):
        places = torch.tensor(window, device=latents.device)
        answer = predict(latents[:, :, places], t, progress, window)
        weight = share.to(latents.device, latents.dtype)[None, None, :, None, None]
        noise.index_add_(2, places, answer * weight)
    return noise
