"""Ours: python federated_ours.py METHOD PROCESSES"""

from __future__ import annotations

import sys

import numpy as np
import torch
from federated_task import BATCH, CLIENTS, FILE, RATE, ROUNDS, X, Y, accuracy, finish, mark, network

from suffice.federated import FederatedConfig, simulate
from suffice.federated.layout import Layout
from suffice.federated.simulation import parts
from suffice.federated.tasks import ClientData, ModelCard
from suffice.federated.traces import Traces


class FileTask:
    """The file as a task of ours."""

    loss = "cross_entropy"
    card = ModelCard("mlp", 64, 10, tuple(range(10)))
    samples = np.full(CLIENTS, Y.shape[1])

    def gather(self, clients: np.ndarray, split: str = "train") -> ClientData:
        offsets = np.arange(len(clients) + 1) * Y.shape[1]
        return ClientData(X[clients].reshape(-1, X.shape[2]), Y[clients].reshape(-1), offsets)

    def test(self) -> ClientData:
        return ClientData(FILE["test_x"], FILE["test_y"], np.array([0, len(FILE["test_y"])]))

    def model(self, seed: int) -> torch.nn.Module:
        return network()


def main(method: str, processes: str) -> None:
    parts.make_traces = lambda config, clients: Traces.always(clients)
    config = FederatedConfig(
        num_participants=CLIENTS,
        overcommitment=1.0,
        rounds=ROUNDS,
        local_steps=0,
        batch_size=BATCH,
        learning_rate=RATE,
        eval_interval=10**6,
        method=method,
        processes=int(processes),
    )
    report = simulate(config, task=FileTask(), on_round=lambda record: mark())
    net = network()
    net.load_state_dict(Layout.of(net).unflatten(report.weights))
    finish(accuracy(net), alone=processes == "1")


if __name__ == "__main__":
    main(*sys.argv[1:])
