"""Weights that stay in main memory and are on the device only while their part computes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_OPENED = ("text_model",)  # what only holds parts that are also called one by one


def offload(modules: Iterable[Any], device: torch.device) -> None:
    """Have every part of `modules` come to `device` when it is called, and leave when it has answered.

    A part is a direct child: a block of a UNet, the encoder or the decoder of an autoencoder. What it is given comes to
    `device` with it. Nothing is copied back: the weights in main memory were there all the time.
    """
    for module in modules:
        for part in _parts(module):
            _lend(part, device)


def _parts(module: Any) -> Iterator[Any]:
    from torch.nn import ModuleList

    for name, child in module.named_children():
        if isinstance(child, ModuleList) or name in _OPENED:
            yield from _parts(child)
        elif isinstance(module, ModuleList) or next(child.parameters(), None) is not None:
            yield child


def _lend(part: Any, device: torch.device) -> None:
    away: list[tuple[dict[str, Any], str, Any]] = []

    def before(_module: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> Any:
        for module in part.modules():
            for held in (module._parameters, module._buffers):
                for name, tensor in held.items():
                    if tensor is not None and tensor.device != device:
                        away.append((held, name, tensor))
                        held[name] = to_device(tensor, device)
        return _moved(inputs, device), _moved(named, device)

    def after(_module: Any, _inputs: Any, _output: Any) -> None:
        while away:
            held, name, tensor = away.pop()
            held[name] = tensor

    part.register_forward_pre_hook(before, with_kwargs=True)
    part.register_forward_hook(after, always_call=True)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """`tensor` on `device`, the same object where it is there already."""
    return tensor.detach().to(device, non_blocking=True)


def _moved(value: Any, device: torch.device) -> Any:
    from torch.utils._pytree import tree_map

    return tree_map(lambda leaf: leaf.to(device) if hasattr(leaf, "untyped_storage") else leaf, value)
