"""Keep broken updates out."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from suffice.federated.arrays import Bools, Ints
from suffice.federated.updates import Updates


def screen(updates: Updates, *, norm_max: float = np.inf) -> Updates:
    """The updates whose every number is finite and whose length is at most `norm_max`."""
    return take(updates, screen_rows(updates, norm_max=norm_max))


def screen_rows(updates: Updates, *, norm_max: float = np.inf) -> Bools:
    """``[K]``: which of `updates` :func:`screen` keeps."""
    # The square of a float32 fits a float64 sum; one beyond it is too long for any bound.
    norms = np.sqrt(np.einsum("kp,kp->k", updates.delta, updates.delta, dtype=np.float64))
    sound = np.isfinite(norms) & (norms <= norm_max) & np.isfinite(updates.loss_mean)
    return np.asarray(sound & (updates.samples > 0))


def take(updates: Updates, rows: Bools | Ints) -> Updates:
    """The updates at `rows`."""
    return Updates(*(getattr(updates, field.name)[rows] for field in fields(updates)))
