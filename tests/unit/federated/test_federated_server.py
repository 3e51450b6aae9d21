"""What updates go through on their way into the model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from suffice.federated import FederatedConfig
from suffice.federated.aggregate import take
from suffice.federated.cohort import Updates
from suffice.federated.simulation.run import assemble
from suffice.federated.simulation.server import Learnt, Server
from suffice.federated.simulation.synchronous import synchronous_round

CONFIG = FederatedConfig(data_set="digits", clients=40, num_participants=6, rounds=3, method="vmap", model="logistic")


def server_of(**change) -> Server:
    return assemble(dataclasses.replace(CONFIG, update_norm_max=100.0, **change)).server


def chunk_of(server: Server, broken: float) -> Updates:
    delta = np.random.default_rng(0).standard_normal((4, len(server.weights))).astype(np.float32)
    delta[2] *= broken
    ones = np.ones(4)
    return Updates(np.array([3, 5, 8, 9]), delta, np.full(4, 20), ones, ones, np.full(4, 5))


@pytest.mark.parametrize("broken", [np.nan, np.inf, 1e9], ids=["nan", "inf", "exploded"])
@pytest.mark.parametrize(
    "change", [{"gradient_policy": "scaffold"}, {"compression": "topk:0.1"}, {"compression": "quantise:4"}]
)
def test_a_rejected_update_leaves_no_trace(change, broken):
    one, other = server_of(**change), server_of(**change)
    whole = chunk_of(one, broken)
    without = take(whole, np.array([0, 1, 3]))
    for server, chunk in ((one, whole), (other, without)):
        learnt = Learnt()
        total, rows = server.collect([chunk], 0, learnt)
        assert total.rejected == len(chunk.clients) - 3 and total.reports == 3
        assert np.concatenate(learnt.clients).tolist() == [3, 5, 9]
        server.apply(total, rows)
    a, b = one.state(), other.state()
    assert set(a) == set(b) and all((a[name] == b[name]).all() for name in a)
    assert np.isfinite(one.weights).all()
    assert not any((value == 8).any() for name, value in a.items() if name.endswith(".clients"))


def test_a_backlog_that_makes_an_update_too_long_is_not_lost_when_that_is_refused():
    server = server_of(compression="topk:0.01")
    chunk = take(chunk_of(server, 1.0), np.array([0]))
    server.feedback.settle(np.array([3]), np.full_like(chunk.delta, 1000.0))
    total, _ = server.collect([chunk], 0, Learnt())
    assert (total.reports, total.rejected) == (0, 1)
    assert (server.feedback.state()["left"] == 1000.0).all()


def test_a_round_in_which_every_update_is_refused_moves_the_clock_and_not_the_model():
    run = assemble(dataclasses.replace(CONFIG, update_norm_max=1e-12))
    before = run.server.weights.copy()
    synchronous_round(run)
    assert (run.server.weights == before).all() and run.clock_s > 0
    assert (run.records[0].clients, run.records[0].rejected) == (0, 6)
