"""One temporal transformer, run on frames that lie along the batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def motion_layer(layer: Any, states: torch.Tensor, frames: int, *, each_frame: bool) -> torch.Tensor:
    """`states` with what `layer`, a diffusers AnimateDiffTransformer3D, adds to them.

    Args:
        layer: the temporal transformer.
        states: ``[batch * frames, channels, height, width]``.
        frames: how many belong to one clip.
        each_frame: the first norm sees each frame alone (as AnimateDiff trained it) or all frames together (as
            diffusers runs it).
    """
    if not each_frame:
        return layer(states, num_frames=frames)
    count, channels, height, width = states.shape
    clips = count // frames
    hidden = layer.norm(states).reshape(clips, frames, channels, height, width)
    hidden = hidden.permute(0, 3, 4, 1, 2).reshape(clips * height * width, frames, channels)
    hidden = layer.proj_in(hidden)
    for block in layer.transformer_blocks:
        hidden = block(hidden)
    hidden = layer.proj_out(hidden).reshape(clips, height, width, frames, channels)
    return states + hidden.permute(0, 3, 4, 1, 2).reshape(count, channels, height, width)
