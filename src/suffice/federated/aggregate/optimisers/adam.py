"""FedAdam."""

from __future__ import annotations

from suffice.federated.aggregate.optimisers.adaptive import Adaptive
from suffice.federated.arrays import Floats


def adam_second(v: Floats, square: Floats, beta2: float) -> Floats:
    """``v = b2 v + (1 - b2) d^2``."""
    return beta2 * v + (1.0 - beta2) * square


class FedAdam(Adaptive):
    """:class:`Adaptive` with a moving average of the squares."""

    def __init__(self, learning_rate: float = 0.03) -> None:
        super().__init__(adam_second, learning_rate)
