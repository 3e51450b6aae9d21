"""A motion module inside a UNet for as long as a block lasts.

Nothing of the UNet is copied or replaced: hooks run the motion layers after the attention (or, in blocks that have
none, after the resnet) that they belong to. Taken out again, the UNet is the very same object as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from suffice.diffusion.motion.group_norm import norm_over_frames
from suffice.diffusion.motion.layer import motion_layer
from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.diffusion.motion.load import Motion


class Frames:
    """How many frames the UNet is being given; set before each call."""

    count: int = 1


@contextmanager
def injected(unet: Any, motion: Motion | None) -> Iterator[Frames]:
    """`motion` inside `unet`; without one, only the count of frames.

    Raises:
        UsageError: the module is for another family of UNet, or of another shape.
    """
    frames = Frames()
    handles: list[Any] = []
    try:
        if motion is not None:
            check_fits(unet, motion)
            handles += [_hook(place, layer, motion, frames) for place, layer in motion_places(unet, motion.adapter)]
            if motion.kind.norm_over_frames:
                handles += norm_over_frames(unet, frames)
        yield frames
    finally:
        for handle in handles:
            handle.remove()


def check_fits(unet: Any, motion: Motion) -> None:
    """Raise :class:`UsageError` when `motion` belongs to another family, or is of another shape."""
    from suffice.diffusion.load import family_of

    family = family_of(unet)
    if motion.kind.family not in (family, None):
        raise UsageError(
            f"{motion.where} is a motion module of {motion.kind.name}, for {motion.kind.family}; "
            f"this checkpoint is {family}"
        )
    own, wanted = tuple(unet.config.block_out_channels), tuple(motion.adapter.config.block_out_channels)
    if own != wanted:
        raise UsageError(f"{motion.where} has blocks of {wanted} channels, this UNet {own}")
    layers = [len(block.motion_modules) for block in (*motion.adapter.down_blocks, *motion.adapter.up_blocks)]
    resnets = [len(block.resnets) for block in (*unet.down_blocks, *unet.up_blocks)]
    if layers != resnets:
        raise UsageError(f"{motion.where} has {layers} layers in its blocks, this UNet {resnets}")


def motion_places(unet: Any, adapter: Any) -> Iterator[tuple[Any, Any]]:
    """Each motion layer with the module of the UNet after which it runs."""
    blocks = [*zip(unet.down_blocks, adapter.down_blocks, strict=True)]
    blocks += zip(unet.up_blocks, adapter.up_blocks, strict=True)
    if adapter.mid_block is not None:
        blocks.append((unet.mid_block, adapter.mid_block))
    for block, motion in blocks:
        places = getattr(block, "attentions", None) or block.resnets
        yield from zip(places, motion.motion_modules, strict=True)


def _hook(place: Any, layer: Any, motion: Motion, frames: Frames) -> Any:
    def after(_module: Any, _inputs: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (motion_layer(layer, output[0], frames.count, each_frame=motion.kind.norm_each_frame), *output[1:])
        return motion_layer(layer, output, frames.count, each_frame=motion.kind.norm_each_frame)

    return place.register_forward_hook(after)
