"""Synthetic(alpha, beta): logistic data whose clients differ by two dials."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from suffice.federated.arrays import Floats32, Ints
from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.models import build_model
from suffice.federated.tasks.protocol import ClientData, Loss, Split, concatenate

if TYPE_CHECKING:
    import torch

_TEST_CLIENTS = 300
_TEST_SHARE = 0.2


class SyntheticTask:
    """Labels ``argmax(W_k x + b_k)``; `alpha` is how much the true models differ, `beta` how much the inputs do.

    Li et al., *Federated Optimization in Heterogeneous Networks*, MLSys 2020, section 5.1: ``W_k, b_k ~ N(u_k, 1)``,
    ``u_k ~ N(0, alpha)``; ``x ~ N(v_k, diag(j ** -1.2))``, ``v_k ~ N(B_k, 1)``, ``B_k ~ N(0, beta)``. Here all clients
    lean on one shared W of unit variance, so that with both dials at 0 they agree and a common model exists. A client
    is generated from ``(seed, client)`` when asked for: a million of them take no memory.
    """

    loss: Loss = "cross_entropy"

    def __init__(
        self,
        clients: int,
        *,
        alpha: float = 0.5,
        beta: float = 0.5,
        seed: int = 0,
        features: int = 60,
        classes: int = 10,
        samples_max: int = 400,
        model: str = "logistic",
    ) -> None:
        self._alpha, self._beta, self._seed = alpha, beta, seed
        self._features, self._classes = features, classes
        self.card = ModelCard(model, features, classes, tuple(range(classes)))
        rng = np.random.default_rng([seed, 0x51E])
        self._shared = rng.standard_normal((features + 1, classes)).astype(np.float32)
        self._spread = (np.arange(1, features + 1) ** -0.6).astype(np.float32)
        sizes = 10 + rng.lognormal(3.5, 1.0, clients)
        self.samples: Ints = np.minimum(sizes, samples_max).astype(np.int64)

    def gather(self, clients: Ints, split: Split = "train") -> ClientData:
        return concatenate([self._client(int(client), split) for client in clients])

    def test(self) -> ClientData:
        return self._test

    def model(self, seed: int) -> torch.nn.Module:
        return build_model(self.card, seed)

    @cached_property
    def _test(self) -> ClientData:
        ids = np.random.default_rng([self._seed, 0x7E57]).permutation(len(self.samples))[:_TEST_CLIENTS]
        pooled = self.gather(ids, "test")
        return ClientData(pooled.x, pooled.y, np.array([0, len(pooled.y)]))

    def _client(self, client: int, split: Split) -> tuple[Floats32, Ints]:
        rng = np.random.Generator(np.random.Philox(key=[self._seed, client]))
        u, b = rng.normal(0.0, self._alpha**0.5), rng.normal(0.0, self._beta**0.5)
        own = rng.standard_normal((self._features + 1, self._classes), dtype=np.float32) + np.float32(u)
        centre = rng.standard_normal(self._features, dtype=np.float32) + np.float32(b)
        weights = self._shared + np.float32(self._alpha**0.5) * own
        held_out = max(1, int(_TEST_SHARE * self.samples[client]))
        count = int(self.samples[client]) + held_out
        noise = rng.standard_normal((count, self._features), dtype=np.float32) * self._spread
        x = noise + np.float32(self._beta**0.5) * centre
        y = (x @ weights[1:] + weights[0]).argmax(axis=1)
        kept = slice(held_out, None) if split == "train" else slice(0, held_out)
        return x[kept], y[kept]
