"""What the server does with the mean update."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from suffice.errors import UsageError, nearest
from suffice.federated.aggregate.optimisers.adam import FedAdam
from suffice.federated.aggregate.optimisers.average import FedAvg
from suffice.federated.aggregate.optimisers.momentum import FedAvgM
from suffice.federated.aggregate.optimisers.yogi import FedYogi
from suffice.federated.arrays import Bools, Floats, State

__all__ = ["FedAdam", "FedAvg", "FedAvgM", "FedYogi", "ServerOptimiser", "make_optimiser"]


class ServerOptimiser(Protocol):
    """Turns weights ``[P]`` and a mean update ``[P]`` into new weights; elements not `trained` are just averaged."""

    def step(self, weights: Floats, delta: Floats, trained: Bools) -> Floats:
        """The new weights."""
        ...

    def state(self) -> State:
        """As arrays."""
        ...

    def restore(self, state: State) -> None:
        """Take up what :meth:`state` saved."""
        ...


_OPTIMISERS: dict[str, Callable[[float], ServerOptimiser]] = {
    "fedavg": FedAvg,
    "fedavgm": FedAvgM,
    "fedadam": FedAdam,
    "fedyogi": FedYogi,
}


def make_optimiser(name: str, learning_rate: float) -> ServerOptimiser:
    """The server optimiser called `name`; raises :class:`UsageError` with the nearest known name."""
    if name not in _OPTIMISERS:
        raise UsageError(
            f"server optimiser {name!r} is not known{nearest(name, _OPTIMISERS)}: {', '.join(_OPTIMISERS)}"
        )
    return _OPTIMISERS[name](learning_rate)
