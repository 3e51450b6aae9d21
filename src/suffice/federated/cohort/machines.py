"""Local training spread over machines, by Ray."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from suffice.errors import SufficeError
from suffice.federated.arrays import Floats, Floats32, Ints
from suffice.federated.cohort.processes import Train, spread
from suffice.federated.cohort.train import Cohort
from suffice.federated.updates import Updates

_RETRIES = 3


@contextmanager
def training_machines(cohort: Cohort, workers: int, address: str) -> Iterator[Train]:
    """`cohort.train`, spread over `workers` Ray actors of one core each, wherever Ray puts them.

    A client's update depends on its id and the key alone, so a share whose machine is lost is trained again elsewhere,
    to the same result.

    Args:
        address: of the cluster (``auto``, ``HOST:PORT``, ``ray://…``); ``local`` starts one here.

    Raises:
        SufficeError: Ray is not installed, or no cluster answers.
    """
    ray = _connected(address, workers)
    try:
        remote = ray.remote(num_cpus=1, max_restarts=_RETRIES, max_task_retries=_RETRIES)(_Worker)
        actors = [remote.remote(cohort.task, cohort.local, cohort.method) for _ in range(workers)]

        def submit(
            worker: int, start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None
        ) -> Callable[[], list[Updates]]:
            found = actors[worker].train.remote(start, clients, key, correction)
            return lambda: _result(ray, found)

        yield spread(workers, submit)
    finally:
        ray.shutdown()


class _Worker:
    def __init__(self, task: Any, local: Any, method: Any) -> None:
        import torch

        torch.set_num_threads(1)
        self._cohort = Cohort(task, local, method)

    def train(self, start: Floats, clients: Ints, key: tuple[int, int], correction: Floats32 | None) -> list[Updates]:
        # Ray hands out arrays that must not be written to, which torch warns of.
        own = None if correction is None else correction.copy()
        return list(self._cohort.train(start.copy(), clients.copy(), key, own))


def _result(ray: Any, found: Any) -> list[Updates]:
    updates: list[Updates] = ray.get(found)
    return updates


def _connected(address: str, workers: int) -> Any:
    try:
        import ray
    except ImportError:
        raise SufficeError("training on several machines needs Ray: pip install 'suffice[ray]'") from None
    here = {"num_cpus": workers, "include_dashboard": False}
    try:
        _knock(address)
        ray.init(address, log_to_driver=False, **(here if address == "local" else {}))
    except (OSError, ValueError) as error:
        raise SufficeError(f"no Ray cluster at {address!r}: {error}") from None
    return ray


def _knock(address: str) -> None:
    """Raises OSError when nobody listens: Ray itself would ask again for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdecimal():
        socket.create_connection((host, int(port)), timeout=5.0).close()
