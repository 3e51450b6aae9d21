"""Weights held in 8 bits and made larger only while their layer computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from suffice.errors import UsageError, nearest

if TYPE_CHECKING:
    import torch

STORAGES = ("", "float8")
_LARGEST = 448.0  # of float8_e4m3fn
_WHOLE = ("conv_in", "conv_out", "time_embedding", "add_embedding", "time_proj")


def store_in_float8(unet: Any, storage: str) -> None:
    """Hold the linear and convolution weights of `unet` as ``float8_e4m3fn`` from now on, each output channel scaled to
    the format's range; a layer's weights have their own type only while it runs.

    Norms, the first and last convolution and the embedding of time stay as they are: they are small, and every other
    layer hangs on them.

    Raises:
        UsageError: unknown `storage`.
    """
    if storage not in STORAGES:
        raise UsageError(f"there is no storage {storage!r}{nearest(storage, STORAGES)}: float8, or empty")
    if storage:
        import torch

        for name, layer in unet.named_modules():
            if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)) and not name.startswith(_WHOLE):
                _hold(layer)


def _hold(layer: Any) -> None:
    small, scale = quantize(layer.weight.data)
    kind = layer.weight.dtype
    held: list[Any] = []

    def before(module: Any, inputs: Any) -> None:
        held.append(module.weight)
        module._parameters["weight"] = module.weight.to(kind) * module.float8_scale.to(kind)

    def after(module: Any, inputs: Any, output: Any) -> None:
        if held:
            module._parameters["weight"] = held.pop()

    layer.weight.data = small
    layer.register_buffer("float8_scale", scale, persistent=False)
    layer.register_forward_pre_hook(before)
    layer.register_forward_hook(after, always_call=True)


def quantize(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`weight` in 8 bits, and by what each output channel is to be multiplied."""
    import torch

    highest = weight.float().abs().flatten(1).amax(1).clamp_min(1e-12)
    scale = (highest / _LARGEST).reshape(-1, *[1] * (weight.dim() - 1)).to(torch.bfloat16)
    return (weight.float() / scale.float()).clamp(-_LARGEST, _LARGEST).to(torch.float8_e4m3fn), scale


def weight_bytes(module: Any) -> int:
    """Bytes of all weights of `module`, the scales of 8-bit ones included."""
    scales = [buffer for name, buffer in module.named_buffers() if name.endswith("float8_scale")]
    return sum(each.numel() * each.element_size() for each in (*module.parameters(), *scales))
