"""One client after the other, for models that cannot share tensor operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suffice.federated.cohort.local import LocalTraining
from suffice.federated.cohort.losses import sample_losses
from suffice.federated.cohort.pulled import pulled
from suffice.federated.tasks.protocol import Loss

if TYPE_CHECKING:
    import torch


def train_looped(
    module: torch.nn.Module,
    loss: Loss,
    x: torch.Tensor,
    y: torch.Tensor,
    mask: torch.Tensor,
    local: LocalTraining,
    correction: Mapping[str, torch.Tensor] | None,
) -> None:
    """Train `module` in place on one client's mini-batches ``[S, B, …]``; BatchNorm and dropout work as usual."""
    import torch

    module.train()
    parameters = dict(module.named_parameters())
    start = {name: value.detach().clone() for name, value in parameters.items()}
    speed: dict[str, torch.Tensor] = {}
    for inputs, target, valid in zip(x, y, mask, strict=True):
        if not valid.any():
            continue
        losses = sample_losses(loss, module(inputs[valid]), target[valid])
        found = torch.autograd.grad(losses.mean(), list(parameters.values()))
        with torch.no_grad():
            for (name, value), gradient in zip(parameters.items(), found, strict=True):
                own = pulled(name, gradient, value, start[name], local, correction)
                if local.momentum:
                    speed[name] = own = local.momentum * speed.get(name, 0.0) + own
                value.sub_(own, alpha=local.learning_rate)
