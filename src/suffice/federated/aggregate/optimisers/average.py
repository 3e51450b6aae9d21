"""FedAvg."""

from __future__ import annotations

from suffice.federated.arrays import Bools, Floats, State


class FedAvg:
    """Add the mean update, `learning_rate` times (McMahan et al., AISTATS 2017)."""

    def __init__(self, learning_rate: float = 1.0) -> None:
        self._learning_rate = learning_rate

    def step(self, weights: Floats, delta: Floats, trained: Bools) -> Floats:
        return weights + (1.0 + trained * (self._learning_rate - 1.0)) * delta

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        """Nothing to take up."""
