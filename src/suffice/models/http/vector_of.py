"""Vectors of numbers out of JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

from suffice.errors import ModelError


def vector_of(value: Any, dimensions: int | None = None) -> list[float]:
    """A list of finite floats, `dimensions` long when that is known; raises :class:`ModelError`."""
    try:
        vector = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError("the embedding is not a list of numbers") from None
    if vector.ndim != 1 or not vector.size or not np.isfinite(vector).all():
        raise ModelError(f"the embedding is not a list of finite numbers (shape {list(vector.shape)})")
    if dimensions and vector.size != dimensions:
        raise ModelError(f"the embedding has {vector.size} numbers, not {dimensions}")
    return [float(number) for number in vector]
