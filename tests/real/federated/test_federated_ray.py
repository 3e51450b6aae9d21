"""Clients trained by Ray's workers: the same model as in one process, also when a worker is killed in the middle."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from suffice.errors import SufficeError
from suffice.federated import FederatedConfig, simulate
from suffice.federated.pace.process import threads_of

pytest.importorskip("ray", reason="Ray is not installed: pip install 'suffice[ray]'")

SMALL = FederatedConfig(clients=60, num_participants=12, rounds=4, method="loop", eval_interval=4, seed=3)


def workers() -> list[int]:
    """The processes of this run's Ray that train."""
    tree = {int(task.parts[2]) for task in threads_of(os.getpid())}
    return [pid for pid in sorted(tree) if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"ray::_Worker")]


@pytest.mark.server
def test_workers_on_ray_change_nothing_and_one_that_is_killed_is_replaced():
    killed: list[int] = []

    def kill_one(record):
        if record.round == 2:
            killed.extend(workers()[:1])
            os.kill(killed[0], signal.SIGKILL)

    alone = simulate(dataclasses.replace(SMALL, gradient_policy="scaffold"))
    spread = simulate(
        dataclasses.replace(SMALL, gradient_policy="scaffold", processes=2, ray="local"), on_round=kill_one
    )
    assert killed
    assert spread.weights == pytest.approx(alone.weights, abs=1e-5)
    assert [r.clients for r in spread.rounds] == [r.clients for r in alone.rounds]


@pytest.mark.server
def test_a_cluster_that_is_not_there():
    with pytest.raises(SufficeError, match="no Ray cluster at"):
        simulate(dataclasses.replace(SMALL, processes=2, ray="127.0.0.1:1"))
