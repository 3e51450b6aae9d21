"""Loss of each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suffice.federated.tasks.protocol import Loss

if TYPE_CHECKING:
    import torch


def sample_losses(loss: Loss, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """``[M]`` from model outputs ``[M, C]`` (``[M, 1]`` for the squared error) and targets ``[M]``."""
    import torch

    if loss == "cross_entropy":
        return torch.nn.functional.cross_entropy(output, target, reduction="none")
    return 0.5 * (output.squeeze(-1) - target) ** 2
