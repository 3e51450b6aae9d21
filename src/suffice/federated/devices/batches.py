"""The mini-batches every runtime takes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from suffice.federated.arrays import Ints
from suffice.federated.pace.steps import step as count_step


def batch_rows(samples: int, steps: int, batch_size: int) -> Iterator[Ints]:
    """Rows of `steps` mini-batches of exactly `batch_size`, round and round the data; each counts as a step for whoever
    paces this process."""
    for step in range(steps):
        yield np.arange(step * batch_size, (step + 1) * batch_size) % samples
        count_step()
