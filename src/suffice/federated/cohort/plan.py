"""Which samples make up each mini-batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from suffice.federated.arrays import Bools, Ints
from suffice.federated.cohort.local import LocalTraining

_Words = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class BatchPlan:
    """`index` ``[K, S, B]`` positions among a client's samples, valid where `mask` is True."""

    index: Ints
    mask: Bools


def plan_batches(clients: Ints, sizes: Ints, local: LocalTraining, key: tuple[int, int]) -> BatchPlan:
    """Shuffle every epoch anew, by client and `key` (seed, round) alone: who else is in the cohort, and in which
    process, changes nothing."""
    steps = local.steps(sizes)
    per_epoch = np.maximum(1, -(-sizes // local.batch_size))
    epochs = int((-(-steps // per_epoch)).max(initial=1))
    order = _permutations(clients, sizes, epochs, key)
    step = np.arange(int(steps.max(initial=1)))
    epoch, within = np.divmod(step[None, :], per_epoch[:, None])
    position = within[:, :, None] * local.batch_size + np.arange(local.batch_size)
    mask = (position < sizes[:, None, None]) & (step[None, :] < steps[:, None])[:, :, None]
    rows = np.arange(len(clients))[:, None, None]
    index = order[rows, np.minimum(epoch, epochs - 1)[:, :, None], np.minimum(position, order.shape[2] - 1)]
    return BatchPlan(np.where(mask, index, 0), mask)


def _permutations(clients: Ints, sizes: Ints, epochs: int, key: tuple[int, int]) -> Ints:
    """``[K, epochs, n_max]``: a permutation of ``range(sizes[k])`` at the head of each row."""
    width = int(sizes.max(initial=1))
    stream = _mix(_mix(np.uint64(key[0]), np.uint64(key[1])), clients.astype(np.uint64))
    per_epoch = _mix(stream[:, None], np.arange(epochs, dtype=np.uint64)[None, :])
    keys = _mix(per_epoch[:, :, None], np.arange(width, dtype=np.uint64)[None, None, :])
    keys |= np.where(np.arange(width)[None, :] < sizes[:, None], 0, 2**64 - 1).astype(np.uint64)[:, None, :]
    return np.argsort(keys, axis=2, kind="stable")


def _mix(seed: _Words | np.uint64, value: _Words | np.uint64) -> _Words:
    """SplitMix64 of the pair (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        z = np.asarray(seed * np.uint64(0x9E3779B97F4A7C15) + (value + np.uint64(1)) * np.uint64(0xD1342543DE82EF95))
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(z ^ (z >> np.uint64(31)))
