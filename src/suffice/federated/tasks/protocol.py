"""What a federated task is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from suffice.federated.arrays import Floats32, Ints
from suffice.federated.tasks.card import ModelCard

if TYPE_CHECKING:
    import torch

Loss = Literal["cross_entropy", "squared"]
Split = Literal["train", "test"]


@dataclass(frozen=True)
class ClientData:
    """Samples of K clients end to end: `x` ``[M, …]``, `y` ``[M]``, client i's are ``offsets[i]:offsets[i + 1]``."""

    x: Floats32
    y: npt.NDArray[Any]
    offsets: Ints

    @property
    def sizes(self) -> Ints:
        """Samples of each client ``[K]``."""
        return np.diff(self.offsets)


class Task(Protocol):
    """Data is asked for by client id, so a million clients need not exist at once."""

    @property
    def samples(self) -> Ints:
        """Training samples of each of the N clients."""
        ...

    @property
    def loss(self) -> Loss:
        """Cross-entropy of logits, or half the squared error."""
        ...

    def gather(self, clients: Ints, split: Split = "train") -> ClientData:
        """The data of `clients`, always the same for the same client."""
        ...

    def test(self) -> ClientData:
        """The central test set, as one client."""
        ...

    @property
    def card(self) -> ModelCard:
        """What the model is."""
        ...

    def model(self, seed: int) -> torch.nn.Module:
        """A fresh model."""
        ...


def concatenate(parts: list[tuple[Floats32, npt.NDArray[Any]]]) -> ClientData:
    """Put the ``(x, y)`` of several clients end to end."""
    offsets = np.concatenate([[0], np.cumsum([len(y) for _, y in parts])]).astype(np.int64)
    return ClientData(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]), offsets)
