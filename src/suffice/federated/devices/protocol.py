"""What a device's training runtime must do."""

from __future__ import annotations

from typing import Protocol

from suffice.federated.arrays import Floats32


class Trainer(Protocol):
    """A model, its runtime and the data of one device. Weights are one flat float32 vector ``[P]`` in the order of the
    task's layout, whatever order the runtime keeps them in.

    Mini-batches run through the data in order, starting again at its head, so that two runtimes given the same start
    take the same steps.
    """

    @property
    def samples(self) -> int:
        """Training samples on the device."""
        ...

    def set_weights(self, weights: Floats32) -> None:
        """Take up a model."""
        ...

    def get_weights(self) -> Floats32:
        """The model as it is now."""
        ...

    def train_steps(self, steps: int, batch_size: int, learning_rate: float) -> None:
        """Plain SGD on `steps` mini-batches."""
        ...

    def evaluate(self) -> float:
        """Mean loss over the device's samples."""
        ...
