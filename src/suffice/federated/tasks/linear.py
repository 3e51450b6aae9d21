"""Linear regression across clients: the optimum is known to the last digit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suffice.federated.arrays import Floats, Floats32, Ints
from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.models import build_model
from suffice.federated.tasks.protocol import ClientData, Loss, Split, concatenate

if TYPE_CHECKING:
    import torch


class LinearTask:
    """``y = w_k x + noise`` with ``w_k ~ N(w, alpha)`` and inputs scaled by ``exp(N(0, beta))`` a client.

    The minimiser of the sample-weighted federated loss is the least-squares solution over all samples
    (:meth:`optimum`), so an algorithm can be judged by its distance to it.
    """

    loss: Loss = "squared"

    def __init__(
        self, clients: int, *, alpha: float = 1.0, beta: float = 0.25, seed: int = 0, features: int = 8
    ) -> None:
        self._alpha, self._beta, self._seed, self._features = alpha, beta, seed, features
        self.card = ModelCard("linear", features, 1)
        rng = np.random.default_rng([seed, 0x11EA])
        self._centre = rng.standard_normal(features)
        self.samples: Ints = rng.integers(10, 60, clients)

    def gather(self, clients: Ints, split: Split = "train") -> ClientData:
        return concatenate([self._client(int(client), split) for client in clients])

    def test(self) -> ClientData:
        pooled = self.gather(np.arange(min(200, len(self.samples))), "test")
        return ClientData(pooled.x, pooled.y, np.array([0, len(pooled.y)]))

    def model(self, seed: int) -> torch.nn.Module:
        return build_model(self.card, seed)

    def optimum(self) -> Floats:
        """``[features]`` weights that minimise the federated loss."""
        data = self.gather(np.arange(len(self.samples)))
        x = data.x.astype(np.float64)
        solution: Floats = np.linalg.solve(x.T @ x, x.T @ data.y)
        return solution

    def _client(self, client: int, split: Split) -> tuple[Floats32, Floats32]:
        rng = np.random.default_rng([self._seed, client, 0 if split == "train" else 1])
        own = np.random.default_rng([self._seed, client, 2])
        weights = self._centre + self._alpha**0.5 * own.standard_normal(self._features)
        scale = np.exp(self._beta * own.standard_normal())
        count = int(self.samples[client]) if split == "train" else 10
        x = scale * rng.standard_normal((count, self._features))
        y = x @ weights + 0.1 * rng.standard_normal(count)
        return x.astype(np.float32), y.astype(np.float32)
