"""PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from suffice.federated.arrays import Floats32
from suffice.federated.cohort.losses import sample_losses
from suffice.federated.devices.batches import batch_rows
from suffice.federated.layout import Layout
from suffice.federated.tasks.protocol import Loss

if TYPE_CHECKING:
    import torch


class TorchTrainer:
    """Trains any module on ``x [n, …]``, ``y [n]``."""

    def __init__(self, module: torch.nn.Module, x: Floats32, y: npt.NDArray[Any], loss: Loss = "cross_entropy") -> None:
        import torch

        self._module, self._loss = module, loss
        self._x, self._y = torch.from_numpy(x), torch.from_numpy(y)
        self._layout = Layout.of(module)

    @property
    def samples(self) -> int:
        return len(self._y)

    def set_weights(self, weights: Floats32) -> None:
        self._module.load_state_dict(self._layout.unflatten(weights.astype(np.float64)))

    def get_weights(self) -> Floats32:
        return self._layout.flatten(self._module.state_dict()).astype(np.float32)

    def train_steps(self, steps: int, batch_size: int, learning_rate: float) -> None:
        import torch

        self._module.train()
        optimiser = torch.optim.SGD(self._module.parameters(), lr=learning_rate)
        for rows in batch_rows(self.samples, steps, batch_size):
            optimiser.zero_grad()
            sample_losses(self._loss, self._module(self._x[rows]), self._y[rows]).mean().backward()
            optimiser.step()

    def evaluate(self) -> float:
        import torch

        self._module.eval()
        with torch.no_grad():
            return float(sample_losses(self._loss, self._module(self._x), self._y).mean())
