"""The task all engines of bench/federated.py train on: a file of arrays, a network, its start."""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path

import numpy as np
import torch

torch.set_num_threads(1)
BATCH, RATE = 20, 0.5

# From the environment, which reaches the worker processes of every engine.
ROUNDS = int(os.environ["FEDERATED_ROUNDS"])
FILE = np.load(os.environ["FEDERATED_TASK"])
X, Y = FILE["x"], FILE["y"]  # [clients, samples, 64], [clients, samples]
CLIENTS = len(Y)
HIDDEN = FILE["hidden"].tolist()
MARKS: list[tuple[float, float]] = []


def network() -> torch.nn.Sequential:
    """As wide as the file says, at the start the file holds."""
    sizes = [X.shape[2], *HIDDEN, 10]
    layers: list[torch.nn.Module] = []
    for width, following in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(width, following), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers[:-1])
    start = torch.from_numpy(FILE["start"])
    torch.nn.utils.vector_to_parameters(start.clone(), net.parameters())
    return net


def train(net: torch.nn.Module, client: int) -> None:
    """One epoch of plain SGD, in the order of the data."""
    x, y = torch.from_numpy(X[client]), torch.from_numpy(Y[client])
    optimiser = torch.optim.SGD(net.parameters(), lr=RATE)
    for first in range(0, len(y), BATCH):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x[first : first + BATCH]), y[first : first + BATCH]).backward()
        optimiser.step()


def accuracy(net: torch.nn.Module) -> float:
    with torch.no_grad():
        return float((net(torch.from_numpy(FILE["test_x"])).argmax(1).numpy() == FILE["test_y"]).mean())


def mark() -> None:
    """Call at the end of every round."""
    MARKS.append((time.perf_counter(), time.process_time()))


def finish(right: float, alone: bool = True) -> None:
    """Clients a second after the first round, which pays for starting up: by the wall and, where it works `alone`, by
    this process's CPU."""
    (wall_s, cpu_s), (end_s, end_cpu_s) = MARKS[0], MARKS[-1]
    trained = CLIENTS * (len(MARKS) - 1)
    answer = {"clients_per_s": trained / (end_s - wall_s), "accuracy": right}
    if alone:
        answer["clients_per_cpu_s"] = trained / (end_cpu_s - cpu_s)
        answer["peak_memory_mb"] = _peak_memory_mb()
    print(json.dumps(answer), flush=True)


def _peak_memory_mb() -> float:
    """Of this program: what the kernel hands to getrusage is at least as much as the one that started it had."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024
