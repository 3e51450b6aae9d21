"""What a cheap score leaves of the spread, judged on a few units: each predicted from all the others.

Leave-one-out residuals of a least-squares line come from one fit (Allen's PRESS, Technometrics 1974).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.estimate.representatives import propagated

Floats = npt.NDArray[np.float64]


def left_by_line(scores: Floats, values: Floats) -> float:
    """Part of the spread of `values` (k,) that a line through `scores` (k,) leaves; over 1 where it misleads."""
    centred = scores - scores.mean()
    spread = float(centred @ centred)
    if not spread > 0:
        return 1.0
    errors = values - values.mean() - centred * float(centred @ values) / spread
    leverage = 1 / values.size + centred**2 / spread
    return _share(errors / np.maximum(1 - leverage, 1e-9), values)


def left_by_likeness(vectors: npt.NDArray[np.float32], values: Floats, neighbours: int) -> float:
    """The same for the nearest others among `vectors` (k, d)."""
    squares = (vectors**2).sum(axis=1)
    far = np.sqrt(np.maximum(squares[:, None] + squares - 2 * vectors @ vectors.T, 0.0)).astype(np.float64)
    np.fill_diagonal(far, np.inf)
    near = np.argsort(far, axis=1)[:, :neighbours]
    return _share(values - propagated(values[near], np.take_along_axis(far, near, axis=1), neighbours), values)


def effective_count(values: Floats) -> float:
    """How many of `values` (k,) carry their spread: 1 where one alone is far from the rest, 0 where all are alike."""
    squares = (values - values.mean()) ** 2
    return float(squares.sum() ** 2 / fourth) if (fourth := float((squares**2).sum())) > 0 else 0.0


def _share(errors: Floats, values: Floats) -> float:
    """Of leave-one-out errors in those of the plain mean."""
    plain = (values - values.mean()) * values.size / (values.size - 1)
    total = float(plain @ plain)
    return float(errors @ errors) / total if total > 0 else 1.0
