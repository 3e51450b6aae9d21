"""Train any number of clients, a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from suffice.federated.arrays import Floats, Floats32, Ints
from suffice.federated.cohort.evaluate import evaluate
from suffice.federated.cohort.local import LocalTraining, Method
from suffice.federated.cohort.looped import train_looped
from suffice.federated.cohort.plan import BatchPlan, plan_batches
from suffice.federated.cohort.vmapped import train_vmapped
from suffice.federated.layout import Layout
from suffice.federated.tasks import ClientData, Task
from suffice.federated.updates import Updates

if TYPE_CHECKING:
    import torch

_CHUNK_BYTES = 64 << 20
_CHUNK_CLIENTS = 128


class _Chunk(NamedTuple):
    """Clients trained together: from where, on what, in which batches, by which key, with which correction."""

    start: Floats
    data: ClientData
    plan: BatchPlan
    clients: Ints
    key: tuple[int, int]
    correction: Floats32 | None


@dataclass(frozen=True)
class Cohort:
    """Trains clients of `task` from common weights; memory grows with the chunk, not with the cohort."""

    task: Task
    local: LocalTraining
    method: Method = "vmap"

    @cached_property
    def module(self) -> torch.nn.Module:
        """A scratch copy of the model; its weights are overwritten at will."""
        return self.task.model(0)

    @cached_property
    def layout(self) -> Layout:
        """Layout of the weight vectors."""
        return Layout.of(self.module)

    def train(
        self, start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None = None
    ) -> Iterator[Updates]:
        """Train `clients` from `start` ``[P]``; `key` is (seed, round).

        Yields chunks in an order that keeps clients of as many steps together. `correction` ``[K, P]`` is added to the
        gradients of each client (SCAFFOLD).
        """
        order = np.argsort(self.local.steps(self.task.samples[clients]), kind="stable")
        size = max(1, min(_CHUNK_CLIENTS, _CHUNK_BYTES // (16 * self.layout.size)))
        for first in range(0, len(order), size):
            rows = order[first : first + size]
            yield self._train_chunk(start, clients[rows], key, None if correction is None else correction[rows])

    def evaluate(self, weights: Floats, data: ClientData) -> tuple[Floats, Floats, Floats]:
        """:func:`evaluate` of the model with `weights`."""
        self.module.load_state_dict(self.layout.unflatten(weights))
        return evaluate(self.module, self.task.loss, data)

    def _train_chunk(self, start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None) -> Updates:
        data = self.task.gather(clients)
        plan = plan_batches(clients, data.sizes, self.local, key)
        loss_mean, loss_rms, _ = self.evaluate(start, data)
        run = self._vmapped if self.method == "vmap" else self._looped
        delta = run(_Chunk(start, data, plan, clients, key, correction))
        return Updates(clients, delta, data.sizes, loss_mean, loss_rms, self.local.steps(data.sizes))

    def _vmapped(self, chunk: _Chunk) -> Floats32:
        import torch

        self.module.train()
        before = self.layout.unflatten(chunk.start)
        extra = None if chunk.correction is None else self._named(chunk.correction)
        x, y, mask = _batches(chunk.data, chunk.plan)
        after = train_vmapped(self.module, self.task.loss, before, x, y, mask, self.local, extra)
        moved = [(after[name] - before[name]).reshape(len(x), -1) for name in self.layout.names]
        delta: Floats32 = torch.cat(moved, dim=1).numpy()
        return delta

    def _looped(self, chunk: _Chunk) -> Floats32:
        import torch

        x, y, mask = _batches(chunk.data, chunk.plan)
        delta = np.empty((len(x), self.layout.size), dtype=np.float32)
        before = self.layout.unflatten(chunk.start)
        received = self.layout.flatten(before)
        extra = None if chunk.correction is None else self._named(chunk.correction)
        for k, client in enumerate(chunk.clients):
            self.module.load_state_dict(before)
            torch.manual_seed(hash((*chunk.key, int(client))) & 0x7FFFFFFF)
            own = None if extra is None else {name: value[k] for name, value in extra.items()}
            train_looped(self.module, self.task.loss, x[k], y[k], mask[k], self.local, own)
            delta[k] = self.layout.flatten(self.module.state_dict()) - received
        return delta

    def _named(self, vectors: Floats32) -> dict[str, torch.Tensor]:
        import torch

        parts = np.split(vectors, np.cumsum(self.layout.sizes)[:-1], axis=1)
        named = zip(self.layout.names, self.layout.shapes, parts, strict=True)
        return {name: torch.from_numpy(part).reshape(-1, *shape) for name, shape, part in named}


def _batches(data: ClientData, plan: BatchPlan) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    import torch

    rows: npt.NDArray[np.int64] = data.offsets[:-1, None, None] + plan.index
    return torch.from_numpy(data.x[rows]), torch.from_numpy(data.y[rows]), torch.from_numpy(plan.mask)
