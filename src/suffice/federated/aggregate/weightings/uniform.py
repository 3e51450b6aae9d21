"""One client, one vote."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Floats
from suffice.federated.updates import Updates


def uniform(updates: Updates, staleness: Floats) -> tuple[Floats, Floats]:
    """Every client counts the same: what a bound on one client's influence (privacy) needs."""
    one = np.ones(len(updates.clients))
    return one, one
