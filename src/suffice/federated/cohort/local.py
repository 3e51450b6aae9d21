"""How a client trains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from suffice.federated.arrays import Ints

Method = Literal["vmap", "loop"]


@dataclass(frozen=True)
class LocalTraining:
    """Plain SGD on the client: `local_steps` mini-batches, or whole `epochs` when that is None.

    `proximal_mu` is FedProx's pull **towards** the model received: mu (w - w0) is added to the gradient.
    """

    learning_rate: float = 0.05
    batch_size: int = 20
    local_steps: int | None = 5
    epochs: int = 1
    momentum: float = 0.0
    weight_decay: float = 0.0
    proximal_mu: float = 0.0

    def steps(self, samples: Ints) -> Ints:
        """Mini-batches each client of `samples` samples goes through."""
        if self.local_steps is not None:
            return np.full(len(samples), self.local_steps, dtype=np.int64)
        return np.asarray(self.epochs * -(-samples // self.batch_size))

    def samples_trained(self, samples: Ints) -> Ints:
        """Samples each client goes through, repeats counted."""
        per_epoch = -(-samples // self.batch_size)
        whole, rest = np.divmod(self.steps(samples), per_epoch)
        return np.asarray(whole * samples + np.minimum(rest * self.batch_size, samples))
