"""FedAvg."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates


def by_samples(updates: Updates, staleness: Floats) -> tuple[Floats, Floats]:
    """A client of twice the samples counts twice (McMahan et al., AISTATS 2017)."""
    weight = updates.samples.astype(np.float64)
    return weight, weight
