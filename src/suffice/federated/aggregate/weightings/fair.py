"""q-FedAvg."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates


@dataclass(frozen=True)
class fair:  # noqa: N801  (used like the other weightings, which are functions)
    """Clients of higher loss count more: with ``L = 1 / learning_rate``, ``g = -L delta`` and the loss F of the model
    received, the server steps by ``-sum(F^q g) / sum(q F^(q-1) |g|^2 + L F^q)``.

    Li et al., *Fair Resource Allocation in Federated Learning*, ICLR 2020; q = 0 is the plain mean.
    """

    q: float
    learning_rate: float

    def __call__(self, updates: Updates, staleness: Floats) -> tuple[Floats, Floats]:
        lipschitz = 1.0 / self.learning_rate
        loss = np.maximum(updates.loss_mean, 1e-10)
        gradient_square = (lipschitz * np.linalg.norm(updates.delta.astype(np.float64), axis=1)) ** 2
        denominator = self.q * loss ** (self.q - 1.0) * gradient_square + lipschitz * loss**self.q
        return lipschitz * loss**self.q, denominator
