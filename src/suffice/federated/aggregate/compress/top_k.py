"""Send the largest elements only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from suffice.federated.arrays import Floats32


@dataclass(frozen=True)
class TopK:
    """Keep the `share` of elements of largest magnitude: 4 bytes of value and 4 of position each."""

    share: float

    def bytes_up(self, size: int) -> int:
        """Bytes of one update of `size` weights."""
        return 8 * self._kept(size)

    def __call__(self, delta: Floats32, rng: np.random.Generator) -> Floats32:
        """What the server reads of ``[K, P]``."""
        kept = self._kept(delta.shape[1])
        columns = np.argpartition(np.abs(delta), -kept, axis=1)[:, -kept:]
        sparse = np.zeros_like(delta)
        np.put_along_axis(sparse, columns, np.take_along_axis(delta, columns, axis=1), axis=1)
        return sparse

    def _kept(self, size: int) -> int:
        return max(1, round(self.share * size))
