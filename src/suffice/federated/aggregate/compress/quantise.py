"""Send each element in a few bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats32


@dataclass(frozen=True)
class Quantise:
    """Uniform levels between minus and plus the largest magnitude, rounded at random so that the mean is right
    (Alistarh et al., *QSGD*, NeurIPS 2017): `bits` an element and one scale."""

    bits: int = 8

    def bytes_up(self, size: int) -> int:
        """Bytes of one update of `size` weights."""
        return 4 + -(-size * self.bits // 8)

    def __call__(self, delta: Floats32, rng: np.random.Generator) -> Floats32:
        """What the server reads of ``[K, P]``."""
        levels = 2 ** (self.bits - 1) - 1
        scale = np.abs(delta).max(axis=1, keepdims=True) / levels
        scale = np.where(scale > 0, scale, 1.0)
        rounded: Floats32 = np.floor(delta / scale + rng.random(delta.shape, dtype=np.float32)) * scale
        return rounded.astype(np.float32)
