"""What a UNet says the noise is, in a window of frames: prompts, guidance, control and further inputs come together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from suffice.diffusion.guidance import guide
from suffice.diffusion.motion.inject import Frames

if TYPE_CHECKING:
    import torch

    from suffice.diffusion.prompts.travel import PromptTravel
    from suffice.diffusion.windows.plan import Window


class Call(NamedTuple):
    """One call of the UNet, all sides (negative, positive, regions) after each other along the batch.

    Attributes:
        latents: ``[sides * frames, channels, height, width]``.
        t: the timestep.
        states: ``[sides * frames, tokens, channels]``.
        progress: share of the steps that lie behind.
        window: numbers of the frames.
        sides: how many.
        added: what SDXL and IP-Adapter are told besides.
    """

    latents: torch.Tensor
    t: torch.Tensor
    states: torch.Tensor
    progress: float
    window: Window
    sides: int
    added: dict[str, Any]


class Control(Protocol):
    """Something that adds to the UNet's features, such as a ControlNet."""

    def residuals(self, call: Call) -> tuple[list[torch.Tensor], torch.Tensor] | None:
        """What to add to the down blocks' outputs and to the middle; None for nothing in this window."""
        ...


@dataclass(frozen=True)
class Region:
    """A prompt for a part of the picture.

    Attributes:
        prompts: of the region.
        mask: share of the region in each latent, ``[frames or 1, height, width]``.
    """

    prompts: PromptTravel
    mask: torch.Tensor


@dataclass(frozen=True)
class UNetPredict:
    """:class:`~suffice.diffusion.denoise.Predict` by a UNet of diffusers.

    Attributes:
        unet: with motion layers injected or without.
        frames: told before each call how many frames come.
        positive: prompts.
        negative: negative prompts.
        guidance: strength of the prompt for each frame of a window.
        rescale: 0 to 1, how far guided noise is brought back to the spread of the unguided (arXiv 2305.08891, 3.4).
        inputs: further input channels of a window, as ``[frames, channels, height, width]``, or None.
        controls: ControlNets and the like.
        regions: prompts for parts of the picture.
        added: further conditions of a window for one side; the flag says whether it is the negative side.
        before: called with each window, before anything else.
        split: call the UNet once a side: less memory.
        turn: told before each call of the UNet its progress, and a key for its window and sides.
    """

    unet: Any
    frames: Frames
    positive: PromptTravel
    negative: PromptTravel
    guidance: Callable[[Window], Sequence[float]]
    rescale: float = 0.0
    inputs: Callable[[Window], torch.Tensor] | None = None
    controls: Sequence[Control] = ()
    regions: Sequence[Region] = ()
    added: Callable[[Window, PromptTravel, bool], dict[str, Any]] = field(default=lambda w, p, n: {})
    before: Callable[[Window], None] = field(default=lambda window: None)
    split: bool = False
    turn: Callable[[float, Any], None] = field(default=lambda progress, key: None)

    def __call__(self, latents: torch.Tensor, t: torch.Tensor, progress: float, window: Window) -> torch.Tensor:
        self.before(window)
        self.frames.count = len(window)
        strengths = self.guidance(window)
        guided = any(strength != 1 for strength in strengths)
        sides = [self.negative] * guided + [self.positive, *(region.prompts for region in self.regions)]
        answers = self._ask(latents[0].transpose(0, 1), t, progress, window, sides)
        positive = self._in_regions(answers[guided], answers[guided + 1 :], window)
        noise = guide(answers[0], positive, strengths, self.rescale) if guided else positive
        return noise.transpose(0, 1)[None]

    def _ask(
        self, latents: torch.Tensor, t: torch.Tensor, progress: float, window: Window, sides: Sequence[PromptTravel]
    ) -> list[torch.Tensor]:
        groups = [[side] for side in sides] if self.split else [sides]
        answers: list[torch.Tensor] = []
        for number, group in enumerate(groups):
            self.turn(progress, (window, number))
            call = self._call(latents, t, progress, window, group)
            answers += self._run(call).to(latents.dtype).chunk(len(group))
        return answers

    def _call(
        self, latents: torch.Tensor, t: torch.Tensor, progress: float, window: Window, sides: Sequence[PromptTravel]
    ) -> Call:
        import torch

        latents = latents.to(self.unet.dtype)
        states = torch.cat([side.states(window) for side in sides])
        added = [self.added(window, side, side is self.negative) for side in sides]
        joined = {name: _cat([each[name] for each in added]) for name in added[0]}
        return Call(latents.repeat(len(sides), 1, 1, 1), t, states, progress, window, len(sides), joined)

    def _run(self, call: Call) -> torch.Tensor:
        import torch

        found = [r for control in self.controls if (r := control.residuals(call)) is not None]
        down = [sum(layer[1:], layer[0]) for layer in zip(*(r[0] for r in found), strict=True)] if found else None
        middle = sum((r[1] for r in found[1:]), found[0][1]) if found else None
        latents = call.latents
        if self.inputs is not None:
            more = self.inputs(call.window).to(latents)
            latents = torch.cat([latents, more.repeat(call.sides, 1, 1, 1)], dim=1)
        return self.unet(
            latents,
            call.t,
            encoder_hidden_states=call.states,
            added_cond_kwargs=call.added,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]

    def _in_regions(self, base: torch.Tensor, regional: Sequence[torch.Tensor], window: Window) -> torch.Tensor:
        """Where regions overlap, they share the place; what no region covers is left to the main prompt."""
        if not regional:
            return base
        masks = [_of_frames(region.mask, window)[:, None].to(base) for region in self.regions]
        covered = sum(masks[1:], masks[0])
        share = covered.clamp_min(1)
        mixed = base * (1 - covered.clamp_max(1))
        for mask, answer in zip(masks, regional, strict=True):
            mixed = mixed + answer * (mask / share)
        return mixed


def _of_frames(mask: torch.Tensor, window: Window) -> torch.Tensor:
    return mask if len(mask) == 1 else mask[list(window)]


def _cat(values: Sequence[Any]) -> Any:
    """Tensors along the batch; lists of tensors (one an IP-Adapter) place by place."""
    import torch

    if isinstance(values[0], list):
        return [torch.cat(each) for each in zip(*values, strict=True)]
    return torch.cat(list(values))
