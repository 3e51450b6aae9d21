"""FedYogi."""

from __future__ import annotations

import numpy as np

from suffice.federated.aggregate.optimisers.adaptive import Adaptive
from suffice.federated.arrays import Floats


def yogi_second(v: Floats, square: Floats, beta2: float) -> Floats:
    """``v -= (1 - b2) d^2 sign(v - d^2)``, so that v falls no faster than it rises."""
    return v - (1.0 - beta2) * square * np.sign(v - square)


class FedYogi(Adaptive):
    """:class:`Adaptive` with the second moment of Yogi."""

    def __init__(self, learning_rate: float = 0.03) -> None:
        super().__init__(yogi_second, learning_rate)
