"""What a selector is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from suffice.federated.arrays import Bools, Floats, Ints, State


class Moment(NamedTuple):
    """When a selection happens: rounds count from 1, time is virtual."""

    round_index: int
    time_s: float


@dataclass(frozen=True)
class Feedback:
    """What the server learnt of the clients of one round, all ``[M]``.

    `loss_mean` and `loss_rms` are over **all** samples of a client, on the model it received (FedScale reports the
    last mini-batch only), and NaN for clients that did not report.
    """

    round_index: int
    clients: Ints
    completed: Bools
    samples: Ints
    loss_mean: Floats
    loss_rms: Floats
    duration_s: Floats


class Selector(Protocol):
    """Chooses clients and learns from what came of it."""

    def select(self, online: Ints, count: int, moment: Moment, rng: np.random.Generator) -> Ints:
        """Exactly ``min(count, len(online))`` different members of `online`."""
        ...

    def observe(self, feedback: Feedback) -> None:
        """Learn from a finished round."""
        ...

    def state(self) -> State:
        """Everything learnt, as arrays."""
        ...

    def restore(self, state: State) -> None:
        """Take up what :meth:`state` saved."""
        ...
