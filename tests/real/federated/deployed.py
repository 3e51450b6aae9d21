"""What the tests of a deployment start and ask."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from suffice.federated.checkin.client import FederationClient
from suffice.federated.checkin.stores import Store, TaskSettings, open_store

SECRET = b"a secret all replicas share"
SIZE = 700


@contextlib.contextmanager
def process(*arguments, stdin: bytes | None = None):
    command = [sys.executable, "-m", *map(str, arguments)]
    folders = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    names = {**os.environ, "PYTHONPATH": folders}
    running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=names)
    try:
        if stdin is not None:
            running.stdin.write(stdin)
            running.stdin.close()
        yield running
    finally:
        running.kill()
        running.wait()
        running.stdout.close()


@contextlib.contextmanager
def replica(store, *tls, port: int = 0):
    with process("suffice.federated.checkin.service", store, port, *tls, stdin=SECRET) as running:
        yield f"127.0.0.1:{int(running.stdout.readline())}"


def root(store):
    return process("suffice.federated.checkin.root", store, "t", 2)


def new_task(path, name: str = "t", **change) -> Store:
    store = open_store(path)
    options = {"target": 9, "fan_in": 3, "round_s": 60.0} | change
    settings = TaskSettings(size=SIZE, layout_digest="d", **options)
    store.create_task(name, settings, np.zeros(SIZE), time.time())
    return store


def delta_of(client: int) -> np.ndarray:
    return np.random.default_rng(client).standard_normal(SIZE).astype(np.float32)


def mean_of(clients: Sequence[int]) -> np.ndarray:
    weights = np.array([c + 1.0 for c in clients])
    return weights @ np.stack([delta_of(c).astype(float) for c in clients]) / weights.sum()


def contribute(address: str, client: int, version: int, *, again: bool = False) -> None:
    """What a device does, at any replica, again and again until version `version` has its update."""
    device = FederationClient(address, f"phone-{client}", "t")
    try:
        while True:
            reply = device.check_in("d")
            if reply.WhichOneof("answer") == "assignment" and reply.assignment.version == version:
                break
            time.sleep(0.05)
        device.download(reply.assignment)
        receipts = [
            device.upload(reply.assignment.token, "d", delta_of(client), client + 1, 0.5) for _ in range(1 + again)
        ]
        assert [r.duplicate for r in receipts] == [False, True][: 1 + again]
    finally:
        device.close()


def seconds_to_start() -> float:
    """How long a root takes to come up here: killed sooner, every one of them would die before it did anything."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import suffice.federated.checkin.root"], check=True)
    return time.monotonic() - began


def wait_for(condition, seconds: float = 180.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
