"""FedYogi."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Floats, State


class FedYogi:
    """Like FedAdam with ``v -= (1 - b2) d^2 sign(v - d^2)``, so that v falls no faster than it rises.

    Reddi et al., *Adaptive Federated Optimization*, ICLR 2021, algorithm 2; v starts at tau squared, m is not
    corrected for its start.
    """

    def __init__(self, learning_rate: float = 0.03, beta1: float = 0.9, beta2: float = 0.99, tau: float = 1e-3) -> None:
        self._learning_rate, self._beta1, self._beta2, self._tau = learning_rate, beta1, beta2, tau
        self._first: Floats = np.zeros(0)
        self._second: Floats = np.zeros(0)

    def step(self, weights: Floats, delta: Floats, trained: Bools) -> Floats:
        b2 = self._beta2
        m = self._first if len(self._first) else np.zeros_like(weights)
        v = self._second if len(self._second) else np.full_like(weights, self._tau**2)
        self._first = self._beta1 * m + (1.0 - self._beta1) * delta
        self._second = v - (1.0 - b2) * delta**2 * np.sign(v - delta**2)
        adapted = self._learning_rate * self._first / (np.sqrt(self._second) + self._tau)
        return weights + np.where(trained, adapted, delta)

    def state(self) -> State:
        return {"first": self._first, "second": self._second}

    def restore(self, state: State) -> None:
        self._first, self._second = state["first"].astype(np.float64), state["second"].astype(np.float64)
