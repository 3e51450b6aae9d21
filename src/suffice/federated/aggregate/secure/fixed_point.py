"""Real numbers as integers modulo 2^64, where masks cancel exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats

Words = npt.NDArray[np.uint64]

_SCALE = 2.0**32
_LIMIT = 2.0**20


def to_fixed(values: Floats) -> Words:
    """Multiples of 2^-32; raises :class:`SufficeError` beyond 2^20 in size, so that 2,048 clients cannot overflow."""
    if not (np.abs(values) < _LIMIT).all():
        raise SufficeError(f"secure aggregation takes values below {_LIMIT:.0f} in size: clip the update first")
    return np.rint(values * _SCALE).astype(np.int64).view(np.uint64)


def from_fixed(words: Words) -> Floats:
    """The numbers again."""
    return words.view(np.int64) / _SCALE
