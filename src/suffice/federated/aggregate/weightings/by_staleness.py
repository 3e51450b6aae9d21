"""FedBuff."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates


def by_staleness(updates: Updates, staleness: Floats) -> tuple[Floats, Floats]:
    """Deltas count ``1 / sqrt(1 + staleness)`` and are divided by their number, so stale ones shorten the step
    (Nguyen et al., *Federated Learning with Buffered Asynchronous Aggregation*, AISTATS 2022)."""
    return 1.0 / np.sqrt(1.0 + staleness), np.ones(len(staleness))
