"""From the sum of a round to the next model."""

from __future__ import annotations

import numpy as np

from suffice.federated.aggregate.optimisers import make_optimiser
from suffice.federated.aggregate.partial import Partial
from suffice.federated.arrays import Bools
from suffice.federated.checkin.stores import Store, TaskSettings


def publish(store: Store, task: str, settings: TaskSettings, version: int, total: Partial, now_s: float) -> None:
    """Take the server's step over `total` and open the next round; done already by another, it changes nothing."""
    memory = store.memory(task, version)
    if "weights" not in memory:
        return
    optimiser = make_optimiser(settings.optimiser, settings.server_learning_rate)
    weights = memory.pop("weights").astype(np.float64)
    if memory:
        optimiser.restore(memory)
    weights = optimiser.step(weights, total.mean, _trained(settings))
    store.add_model(task, version + 1, weights, optimiser.state(), now_s)


def abandon(store: Store, task: str, version: int, now_s: float) -> None:
    """Open the next round with the model as it is: this one cannot come to an end."""
    memory = store.memory(task, version)
    if "weights" in memory:
        store.add_model(task, version + 1, memory.pop("weights").astype(np.float64), memory, now_s)


def _trained(settings: TaskSettings) -> Bools:
    trained = np.ones(settings.size, dtype=bool)
    for first, last in settings.statistics:
        trained[first:last] = False
    return trained
