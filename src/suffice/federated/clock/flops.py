"""Work of one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.federated.arrays import Floats32

if TYPE_CHECKING:
    import torch


def flops_per_sample(module: torch.nn.Module, sample: Floats32) -> float:
    """Forward FLOPs of `module` on `sample` ``[1, …]``.

    Layers that multiply by a matrix or a kernel are counted here; a model with weights of any other kind is left to
    torch's own counter, which takes seconds to load.
    """
    leaves = [part for part in module.modules() if not list(part.children()) and list(part.parameters())]
    known = all(_is_matrix(part) or "Norm" in type(part).__name__ for part in leaves)
    return _by_hooks(module, sample, leaves) if known else _by_torch(module, sample)


def _is_matrix(part: torch.nn.Module) -> bool:
    from torch import nn

    return isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)


def _by_hooks(module: torch.nn.Module, sample: Floats32, leaves: list[torch.nn.Module]) -> float:
    total = 0.0

    def count(part: torch.nn.Module, inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        weight: torch.Tensor = part.weight
        total += 2.0 * output.numel() * weight[0].numel()

    hooks = [part.register_forward_hook(count) for part in leaves if _is_matrix(part)]
    _forward(module, sample)
    for hook in hooks:
        hook.remove()
    return total


def _by_torch(module: torch.nn.Module, sample: Floats32) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        _forward(module, sample)
    return float(counter.get_total_flops())


def _forward(module: torch.nn.Module, sample: Floats32) -> None:
    import torch

    module.eval()
    with torch.no_grad():
        module(torch.from_numpy(sample))
