"""How good a model is, overall and for each client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suffice.federated.arrays import Floats
from suffice.federated.cohort.losses import sample_losses
from suffice.federated.tasks.protocol import ClientData, Loss

if TYPE_CHECKING:
    import torch


def evaluate(module: torch.nn.Module, loss: Loss, data: ClientData) -> tuple[Floats, Floats, Floats]:
    """Mean loss, root mean squared loss and accuracy of each client in `data`, all ``[K]``; NaN for one without
    samples, and accuracy NaN for the squared loss."""
    import torch

    module.eval()
    with torch.no_grad():
        output = module(torch.from_numpy(data.x))
        losses = sample_losses(loss, output, torch.from_numpy(data.y)).double().numpy()
    right = output.argmax(dim=1).numpy() == data.y if loss == "cross_entropy" else np.full(len(losses), np.nan)
    mean, square, accuracy = (_mean_by_client(values, data) for values in (losses, losses**2, right))
    return mean, np.sqrt(square), accuracy


def _mean_by_client(values: Floats, data: ClientData) -> Floats:
    owner = np.repeat(np.arange(len(data.sizes)), data.sizes)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.bincount(owner, weights=values, minlength=len(data.sizes)) / data.sizes)
