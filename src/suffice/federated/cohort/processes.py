"""Local training spread over processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from suffice.federated.arrays import Floats, Floats32, Ints
from suffice.federated.cohort.train import Cohort
from suffice.federated.updates import Updates
from suffice.processes import process_pool

Train = Callable[[Floats, Ints, tuple[int, int], Floats32 | None], Iterator[Updates]]

_here: Cohort


@contextmanager
def training_processes(cohort: Cohort, processes: int) -> Iterator[Train]:
    """`cohort.train`, spread over `processes` of one thread each; with one process it is `cohort.train` itself.

    What a client trains depends on nothing but its id and the key, so the updates are the same; only the order in
    which they are summed differs.
    """
    if processes == 1:
        yield cohort.train
        return
    with process_pool(processes, _take_up, cohort) as pool:
        yield spread(processes, lambda _, *share: pool.submit(_train, *share).result)


def spread(workers: int, submit: Callable[..., Callable[[], list[Updates]]]) -> Train:
    """Training on `workers`: ``submit(worker, start, clients, key, correction)`` sets one off on its share of the
    clients, and returns what waits for it."""

    def train(
        start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None = None
    ) -> Iterator[Updates]:
        shares = [slice(worker, None, workers) for worker in range(workers)]
        waits = [
            submit(worker, start, clients[share], key, None if correction is None else correction[share])
            for worker, share in enumerate(shares)
        ]
        for wait in waits:
            yield from wait()

    return train


def _take_up(cohort: Cohort) -> None:
    import torch

    global _here
    torch.set_num_threads(1)
    _here = Cohort(cohort.task, cohort.local, cohort.method)


def _train(start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None) -> list[Updates]:
    return list(_here.train(start, clients, key, correction))
