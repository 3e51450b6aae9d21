"""All clients of a chunk in one set of tensor operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suffice.federated.cohort.local import LocalTraining
from suffice.federated.cohort.losses import sample_losses
from suffice.federated.cohort.pulled import pulled
from suffice.federated.tasks.protocol import Loss

if TYPE_CHECKING:
    import torch

    Tensors = dict[str, torch.Tensor]


def train_vmapped(
    module: torch.nn.Module,
    loss: Loss,
    start: Tensors,
    x: torch.Tensor,
    y: torch.Tensor,
    mask: torch.Tensor,
    local: LocalTraining,
    correction: Tensors | None,
) -> Tensors:
    """Parameters after training, stacked ``[K, …]``.

    Args:
        start: parameters all clients begin from.
        x, y, mask: ``[K, S, B, …]`` the mini-batches; a step whose mask is empty leaves the client as it is.
        correction: ``[K, …]`` added to every gradient (SCAFFOLD), or None.
    """
    from torch.func import functional_call, grad, vmap

    def batch_loss(
        parameters: Mapping[str, torch.Tensor], inputs: torch.Tensor, target: torch.Tensor, valid: torch.Tensor
    ) -> torch.Tensor:
        losses = sample_losses(loss, functional_call(module, dict(parameters), (inputs,)), target)
        return (losses * valid).sum() / valid.sum().clamp(min=1.0)

    gradients = vmap(grad(batch_loss))
    now = {name: value.expand(len(x), *value.shape).clone() for name, value in start.items()}
    speed: Tensors = {}
    for step in range(x.shape[1]):
        found = gradients(now, x[:, step], y[:, step], mask[:, step].float())
        active = mask[:, step].any(dim=1)
        for name, gradient in found.items():
            own = pulled(name, gradient, now[name], start[name], local, correction)
            if local.momentum:
                speed[name] = own = local.momentum * speed.get(name, 0.0) + own
            if not active.all():
                own = own * active.view(-1, *[1] * start[name].dim())
            # In place: the weights are the largest thing a chunk holds, and every pass over them counts.
            now[name].sub_(own, alpha=local.learning_rate)
    return now
