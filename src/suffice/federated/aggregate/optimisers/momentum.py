"""FedAvgM."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Floats, State


class FedAvgM:
    """``v = beta v + delta; w += rate v`` (Hsu, Qi and Brown, 2019, arXiv 1909.06335)."""

    def __init__(self, learning_rate: float = 1.0, beta: float = 0.9) -> None:
        self._learning_rate, self._beta = learning_rate, beta
        self._velocity: Floats = np.zeros(0)

    def step(self, weights: Floats, delta: Floats, trained: Bools) -> Floats:
        before = self._velocity if len(self._velocity) else np.zeros_like(weights)
        self._velocity = self._beta * before + delta
        return weights + np.where(trained, self._learning_rate * self._velocity, delta)

    def state(self) -> State:
        return {"velocity": self._velocity}

    def restore(self, state: State) -> None:
        self._velocity = state["velocity"].astype(np.float64)
