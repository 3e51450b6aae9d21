"""Keep broken updates out."""

from __future__ import annotations

import numpy as np

from suffice.federated.arrays import Bools, Ints
from suffice.federated.cohort.local import Updates


def screen(updates: Updates, *, norm_max: float = np.inf) -> tuple[Updates, int]:
    """The updates whose every number is finite and whose length is at most `norm_max`, and how many were not."""
    norms = np.linalg.norm(updates.delta.astype(np.float64), axis=1)
    good = np.isfinite(norms) & (norms <= norm_max) & np.isfinite(updates.loss_mean) & (updates.samples > 0)
    return take(updates, good), int((~good).sum())


def take(updates: Updates, rows: Bools | Ints) -> Updates:
    """The updates at `rows`."""
    return Updates(*(getattr(updates, name)[rows] for name in updates.__dataclass_fields__))
