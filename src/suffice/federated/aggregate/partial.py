"""What an aggregator anywhere in the tree hands to the one above it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from suffice.errors import SufficeError
from suffice.federated.aggregate.weightings import Weighting
from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates


@dataclass(frozen=True)
class Partial:
    """A sum over some updates. Addition is all there is to folding, so any tree gives what one sum gives (float64:
    to about 1e-12).

    Attributes:
        delta_sum: ``[P]`` sum of coefficient times delta.
        weight: sum of the denominators; ``delta_sum / weight`` is the step the server takes.
        reports, samples: clients in it, and their samples.
        loss_sum: sum of samples times mean loss.
        rejected: updates left out as broken.
    """

    delta_sum: Floats
    weight: float = 0.0
    reports: int = 0
    samples: int = 0
    loss_sum: float = 0.0
    rejected: int = 0

    @classmethod
    def empty(cls, size: int) -> Partial:
        """The sum over no updates of `size` weights."""
        return cls(np.zeros(size))

    @property
    def mean(self) -> Floats:
        """The mean update ``[P]``; raises :class:`SufficeError` when there is none."""
        if self.reports == 0 or self.weight <= 0:
            raise SufficeError("no usable update to aggregate: every client failed, dropped out or was rejected")
        return self.delta_sum / self.weight


def fold(partials: Iterable[Partial], size: int) -> Partial:
    """Add up partials of models of `size` weights; of none it is the empty one."""
    total = Partial.empty(size)
    for part in partials:
        if part.delta_sum.shape != (size,):
            raise SufficeError(f"a partial of {part.delta_sum.shape[0]} weights does not fit a model of {size}")
        total = Partial(
            total.delta_sum + part.delta_sum,
            total.weight + part.weight,
            total.reports + part.reports,
            total.samples + part.samples,
            total.loss_sum + part.loss_sum,
            total.rejected + part.rejected,
        )
    return total


def partial_of(updates: Updates, weighting: Weighting, staleness: Floats | None = None, rejected: int = 0) -> Partial:
    """The partial of the `updates` themselves; `staleness` ``[K]`` counts versions since each set off."""
    stale = np.zeros(len(updates.clients)) if staleness is None else staleness
    coefficient, denominator = weighting(updates, stale)
    return Partial(
        coefficient @ updates.delta.astype(np.float64),
        float(denominator.sum()),
        len(updates.clients),
        int(updates.samples.sum()),
        float(updates.loss_mean @ updates.samples),
        rejected,
    )
