"""Group norms of a UNet over all frames of a clip, as the first motion modules were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from suffice.diffusion.motion.inject import Frames


def norm_over_frames(unet: Any, frames: Frames) -> list[Any]:
    """Make the norms of every resnet and of the output see whole clips; returns handles whose removal undoes it."""
    from diffusers.models.resnet import ResnetBlock2D

    norms = [norm for m in unet.modules() if isinstance(m, ResnetBlock2D) for norm in (m.norm1, m.norm2)]
    return [handle for norm in (*norms, unet.conv_norm_out) for handle in _over_frames(norm, frames)]


def _over_frames(norm: Any, frames: Frames) -> tuple[Any, Any]:
    def before(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        states = inputs[0]
        clips = states.shape[0] // frames.count
        return (states.reshape(clips, frames.count, *states.shape[1:]).transpose(1, 2),)

    def after(_module: Any, _inputs: Any, output: Any) -> Any:
        return output.transpose(1, 2).flatten(0, 1)

    return norm.register_forward_pre_hook(before), norm.register_forward_hook(after)
