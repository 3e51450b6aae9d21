"""What FedAdam and FedYogi share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from suffice.federated.arrays import Bools, Floats, State

SecondMoment = Callable[[Floats, Floats, float], Floats]
"""``(v, d ** 2, b2) -> v``"""


class Adaptive:
    """``m = b1 m + (1 - b1) d; v = second(v, d^2, b2); w += rate m / (sqrt(v) + tau)``.

    Reddi et al., *Adaptive Federated Optimization*, ICLR 2021, algorithm 2; v starts at tau squared, m is not
    corrected for its start.
    """

    def __init__(
        self,
        second: SecondMoment,
        learning_rate: float = 0.03,
        beta1: float = 0.9,
        beta2: float = 0.99,
        tau: float = 1e-3,
    ) -> None:
        self._second_of = second
        self._learning_rate, self._beta1, self._beta2, self._tau = learning_rate, beta1, beta2, tau
        self._first: Floats = np.zeros(0)
        self._second: Floats = np.zeros(0)

    def step(self, weights: Floats, delta: Floats, trained: Bools) -> Floats:
        m = self._first if len(self._first) else np.zeros_like(weights)
        v = self._second if len(self._second) else np.full_like(weights, self._tau**2)
        self._first = self._beta1 * m + (1.0 - self._beta1) * delta
        self._second = self._second_of(v, delta**2, self._beta2)
        adapted = self._learning_rate * self._first / (np.sqrt(self._second) + self._tau)
        return weights + np.where(trained, adapted, delta)

    def state(self) -> State:
        return {"first": self._first, "second": self._second}

    def restore(self, state: State) -> None:
        self._first, self._second = state["first"].astype(np.float64), state["second"].astype(np.float64)
