"""A ControlNet over a clip: hints come a window at a time, strengths a frame at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.predict import Call
    from suffice.diffusion.windows.plan import Window


@dataclass(frozen=True)
class ControlNet:
    """:class:`~suffice.diffusion.predict.Control` by a ControlNetModel of diffusers.

    Attributes:
        model: the ControlNetModel.
        hints: pictures of a window, ``[frames, 3, height, width]`` from 0 to 1.
        strengths: of a window, one a frame; frames of strength 0 are as without it.
        start: share of the steps before it begins to count.
        end: share of the steps after which it counts no more.
    """

    model: Any
    hints: Callable[[Window], torch.Tensor]
    strengths: Callable[[Window], list[float]]
    start: float = 0.0
    end: float = 1.0

    def residuals(self, call: Call) -> tuple[list[torch.Tensor], torch.Tensor] | None:
        strengths = self.strengths(call.window)
        if not self.start <= call.progress < self.end or not any(strengths):
            return None
        hints = self.hints(call.window).to(call.latents).repeat(call.sides, 1, 1, 1)
        down, middle = self.model(
            call.latents,
            call.t,
            encoder_hidden_states=call.states,
            controlnet_cond=hints,
            added_cond_kwargs=call.added,
            return_dict=False,
        )
        return [scaled_by_frame(each, strengths, call.sides) for each in down], scaled_by_frame(
            middle, strengths, call.sides
        )


def scaled_by_frame(states: torch.Tensor, strengths: list[float], sides: int) -> torch.Tensor:
    """`states`, ``[sides * frames, …]``, each frame by its strength."""
    import torch

    if len(set(strengths)) == 1:
        return states * strengths[0]
    return states * torch.tensor(strengths).to(states).repeat(sides)[:, None, None, None]
