"""Handwritten digits that ship with scikit-learn, split so that no two clients write or hold the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats32, Ints
from suffice.federated.tasks.card import ModelCard
from suffice.federated.tasks.models import build_model
from suffice.federated.tasks.protocol import ClientData, Loss, Split, concatenate

if TYPE_CHECKING:
    import torch

_SIDE = 8
_TRAIN = 1437


class DigitsTask:
    """The 1,797 8x8 digits of UCI/scikit-learn: client i draws from the training pool by a Dirichlet(`gamma`) label
    mix, and sees its pictures in a style of its own (shifted by up to a pixel, contrast changed)."""

    loss: Loss = "cross_entropy"

    def __init__(
        self, clients: int, *, gamma: float = 0.3, seed: int = 0, style: bool = True, model: str = "mlp"
    ) -> None:
        x, y = _load_digits()
        order = np.random.default_rng(0).permutation(len(y))
        self._pools = {"train": (x[order[:_TRAIN]], y[order[:_TRAIN]]), "test": (x[order[_TRAIN:]], y[order[_TRAIN:]])}
        self._by_label = {
            split: [np.flatnonzero(pool_y == digit) for digit in range(10)]
            for split, (_, pool_y) in self._pools.items()
        }
        rng = np.random.default_rng([seed, 0xD161])
        self._gamma, self._seed, self._style = gamma, seed, style
        self.card = ModelCard(model, _SIDE * _SIDE, 10, tuple(range(10)), _SIDE)
        self.samples: Ints = np.clip(rng.lognormal(3.5, 0.6, clients), 10, 200).astype(np.int64)

    def gather(self, clients: Ints, split: Split = "train") -> ClientData:
        return concatenate([self._client(int(client), split) for client in clients])

    def test(self) -> ClientData:
        x, y = self._pools["test"]
        return ClientData(x, y, np.array([0, len(y)]))

    def model(self, seed: int) -> torch.nn.Module:
        return build_model(self.card, seed)

    def _client(self, client: int, split: Split) -> tuple[Floats32, Ints]:
        own = np.random.default_rng([self._seed, client])
        mix = own.dirichlet(np.full(10, self._gamma))
        shift, gain = own.integers(-1, 2, 2), np.float32(own.uniform(0.6, 1.4))
        count = int(self.samples[client]) if split == "train" else max(5, int(self.samples[client]) // 5)
        if split == "test":
            own = np.random.default_rng([self._seed, client, 1])
        digits = own.choice(10, count, p=mix)
        pool = self._by_label[split]
        rows = np.array([pool[digit][own.integers(len(pool[digit]))] for digit in digits])
        x, y = self._pools[split][0][rows], self._pools[split][1][rows]
        if self._style:
            x = gain * np.roll(x.reshape(-1, _SIDE, _SIDE), tuple(shift), axis=(1, 2)).reshape(len(x), -1)
        return x.astype(np.float32), y


def _load_digits() -> tuple[Floats32, Ints]:
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise SufficeError("data_set 'digits' ships with scikit-learn: pip install 'suffice[test]'") from None
    x, y = load_digits(return_X_y=True)
    return (x / 16.0).astype(np.float32), y.astype(np.int64)
