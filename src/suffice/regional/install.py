"""Put the regional operators on a UNet, and take them off without trace.

Only leaf layers that look beyond their own cell are touched: convolutions wider than 1×1, GroupNorm, attention, and the
time embedding. Everything pointwise (1×1 convolutions, linear layers, activations, residual sums, joined skips,
nearest up-sampling, average pooling) is right on gathered tiles as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from suffice.errors import SufficeError
from suffice.regional.frame import Stage

if TYPE_CHECKING:
    from suffice.diffusion.motion.load import Motion

HINT = "controlnet_cond_embedding"


class UnsupportedLayerError(SufficeError):
    """The network has a layer that cannot run on some tiles only; run it whole with --skip off instead."""


@contextmanager
def installed(unet: Any, prefix: str, stage: Stage) -> Iterator[None]:
    """Within the block `unet` obeys the frame set on the stage. :class:`UnsupportedLayerError` names a layer."""
    with _replaced(_replacements(unet, prefix, stage)):
        yield


@contextmanager
def installed_motion(unet: Any, motion: Motion, prefix: str, stage: Stage) -> Iterator[None]:
    """The same for a motion module that is inside `unet` already.

    It looks along time, cell by cell, and every tile runs in all frames: only its norms look at other tiles.
    """
    from suffice.diffusion.motion.inject import motion_places
    from suffice.regional.operators.motion import apart_hook, motion_norm, side_by_side_hook

    if motion.kind.norm_over_frames:
        raise UnsupportedLayerError(f"{motion.kind.name} norms all frames as one picture: run it whole with --skip off")
    norms = [(name, one) for name, one in motion.adapter.named_modules() if type(one).__name__ == "GroupNorm"]
    handles = []
    try:
        for place, _ in motion_places(unet, motion.adapter):
            handles.append(place.register_forward_hook(side_by_side_hook(stage), prepend=True))
            handles.append(place.register_forward_hook(apart_hook(stage)))
        with _replaced([(one, _switch(one, stage, prefix + name, motion_norm)) for name, one in norms]):
            yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _replaced(forwards: Sequence[tuple[Any, Callable[..., Any]]]) -> Iterator[None]:
    touched = []
    try:
        for module, forward in forwards:
            module.forward = forward
            touched.append(module)
        yield
    finally:
        for module in touched:
            del module.forward


def _replacements(unet: Any, prefix: str, stage: Stage) -> list[tuple[Any, Callable[..., Any]]]:
    """Chosen before anything is touched, so that an unsupported layer leaves the network as it was."""
    named = [(prefix + name, module) for name, module in unet.named_modules() if f"{HINT}." not in name]
    operators = [(module, layer, _operator_of(module, layer)) for layer, module in named]
    return [(module, _switch(module, stage, layer, op)) for module, layer, op in operators if op is not None]


def _switch(module: Any, stage: Stage, layer: str, operator: Callable[..., Any]) -> Callable[..., Any]:
    original = module.forward

    @functools.wraps(original)
    def forward(*args: Any, **kwargs: Any) -> Any:
        if stage.frame is None:
            return original(*args, **kwargs)
        return operator(module, stage.frame, layer, *args, **kwargs)

    return forward


def _operator_of(module: Any, layer: str) -> Callable[..., Any] | None:
    """The operator a layer needs, or None where the layer is right on tiles as it is."""
    kind = type(module).__name__
    if kind == "Attention":
        return _attention(module, layer)
    if layer.endswith(HINT):
        from suffice.regional.operators.hint import hint

        return hint
    if layer.split(".")[-1] == "time_proj":
        from suffice.regional.operators.time_shift import time_steps

        return time_steps
    if layer.endswith("time_emb_proj"):
        from suffice.regional.operators.time_shift import time_shift

        return time_shift
    if kind == "GroupNorm":
        from suffice.regional.operators.group_norm import group_norm

        return group_norm
    return _convolution(module, layer)


def _convolution(module: Any, layer: str) -> Callable[..., Any] | None:
    import torch

    if isinstance(module, torch.nn.ConvTranspose2d | torch.nn.BatchNorm2d | torch.nn.Conv3d):
        raise UnsupportedLayerError(
            f"{layer} ({type(module).__name__}) cannot run on some tiles only: run it whole with --skip off"
        )
    if not isinstance(module, torch.nn.Conv2d) or tuple(module.kernel_size) == (1, 1):
        return None
    size, padding = module.kernel_size[0], module.padding
    square = module.kernel_size == (size, size) and padding == (size // 2, size // 2) and size % 2
    if not square or tuple(module.dilation) != (1, 1) or module.padding_mode != "zeros":
        raise UnsupportedLayerError(
            f"{layer}: a convolution of kernel {module.kernel_size}, padding {padding}, dilation {module.dilation} "
            "does not keep tiles in place: run it whole with --skip off"
        )
    from suffice.regional.operators.convolution import convolution

    return convolution


def _attention(module: Any, layer: str) -> Callable[..., Any]:
    extras = ("spatial_norm", "group_norm", "norm_cross", "added_kv_proj_dim")
    odd = next((name for name in extras if getattr(module, name, None)), None)
    if odd or module.residual_connection or not type(module.processor).__name__.startswith("AttnProcessor"):
        what = odd or type(module.processor).__name__
        raise UnsupportedLayerError(
            f"{layer}: attention with {what} cannot run on some tiles only: run it whole with --skip off"
        )
    return _attention_operator


def _attention_operator(
    module: Any, frame: Any, layer: str, states: Any, encoder_hidden_states: Any = None, attention_mask: Any = None
) -> Any:
    from suffice.regional.operators.cross_attention import cross_attention
    from suffice.regional.operators.self_attention import self_attention

    if attention_mask is not None:
        raise UnsupportedLayerError(f"{layer}: attention masks cannot be cut into tiles: run it whole with --skip off")
    if encoder_hidden_states is None:
        return self_attention(module, frame, layer, states)
    return cross_attention(module, frame, layer, states, encoder_hidden_states)
