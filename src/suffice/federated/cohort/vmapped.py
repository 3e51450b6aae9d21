"""All clients of a chunk in one set of tensor operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from suffice.federated.cohort.local import LocalTraining
from suffice.federated.cohort.losses import sample_losses
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
    speed = {name: value.new_zeros(()) for name, value in now.items()}
    for step in range(x.shape[1]):
        active = mask[:, step].any(dim=1).float()
        found = gradients(now, x[:, step], y[:, step], mask[:, step].float())
        for name, gradient in found.items():
            pull = local.weight_decay * now[name] + local.proximal_mu * (now[name] - start[name])
            own = gradient + pull if correction is None else gradient + pull + correction[name]
            speed[name] = local.momentum * speed[name] + own
            rate = local.learning_rate * active.view(-1, *[1] * start[name].dim())
            now[name] = now[name] - rate * speed[name]
    return now
