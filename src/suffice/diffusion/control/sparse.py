"""SparseCtrl (arXiv 2311.16933): a few frames are given, the motion between them is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.diffusion.control.controlnet import scaled_by_frame

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.predict import Call
    from suffice.diffusion.windows.plan import Window


@dataclass(frozen=True)
class SparseControl:
    """:class:`~suffice.diffusion.predict.Control` by a SparseControlNetModel of diffusers.

    Attributes:
        model: the SparseControlNetModel.
        given: frame to its condition ``[channels, height, width]``: latents or a picture, as the model was trained.
        strengths: of a window, one a frame.
    """

    model: Any
    given: Mapping[int, torch.Tensor]
    strengths: Callable[[Window], list[float]]

    def residuals(self, call: Call) -> tuple[list[torch.Tensor], torch.Tensor] | None:
        strengths = self.strengths(call.window)
        if not any(strengths) or not any(frame in self.given for frame in call.window):
            return None
        condition, mask = self._conditions(call)
        frames = len(call.window)
        latents = call.latents.unflatten(0, (call.sides, frames)).transpose(1, 2)
        down, middle = self.model(
            latents,
            call.t,
            encoder_hidden_states=call.states,
            controlnet_cond=condition,
            conditioning_mask=mask,
            return_dict=False,
        )
        return [scaled_by_frame(each, strengths, call.sides) for each in down], scaled_by_frame(
            middle, strengths, call.sides
        )

    def _conditions(self, call: Call) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        shape = next(iter(self.given.values())).shape
        empty = torch.zeros(shape).to(call.latents)
        frames = [self.given[frame].to(empty) if frame in self.given else empty for frame in call.window]
        there = torch.tensor([float(frame in self.given) for frame in call.window]).to(empty)
        mask = there[None, None, :, None, None].expand(call.sides, 1, -1, *shape[1:])
        return torch.stack(frames, dim=1)[None].expand(call.sides, -1, -1, -1, -1), mask
