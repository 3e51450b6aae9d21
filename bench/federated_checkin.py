"""The control plane on loopback: check-ins a second and their latency, bytes into the root by fan-in, recovery.

    python bench/federated_checkin.py [SECONDS]

The load generator runs on the same cores as the replicas; the CPU of the replicas alone is counted beside.
"""

from __future__ import annotations

import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from report import save

from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.leaf import fold_node
from suffice.federated.checkin.store import Store, StoredUpdate, TaskSettings
from suffice.federated.checkin.tree import Node, children, levels
from suffice.federated.checkin.wire import partial_to_bytes

_IN_FLIGHT = 64


async def load(addresses: list[str], seconds: float) -> list[float]:
    """Latencies of check-ins, each by a client of its own, with 64 under way at any time."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options=options) for address in addresses for _ in range(2)]
    calls = [
        channel.unary_unary(
            "/suffice.federated.Federation/CheckIn", pb.CheckInRequest.SerializeToString, pb.CheckInReply.FromString
        )
        for channel in channels
    ]
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def one(worker: int) -> None:
        count = 0
        while (began := time.perf_counter()) < end:
            name = f"{worker}-{(count := count + 1)}"
            request = pb.CheckInRequest(client=name, task="t", layout_digest="d")
            await calls[worker % len(calls)](request)
            latencies.append(time.perf_counter() - began)

    await asyncio.gather(*(one(worker) for worker in range(_IN_FLIGHT)))
    for channel in channels:
        await channel.close()
    return latencies


def cpu_of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def checkins(replicas: int, seconds: float) -> dict[str, Any]:
    """Start `replicas`, load them, and say how it went."""
    before_s = cpu_of_children_s()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        settings = TaskSettings(1000, "d", target=1000, population=1_000_000)
        Store(path).create_task("t", settings, np.zeros(1000), time.time())
        command = [sys.executable, "-m", "suffice.federated.checkin.service", str(path), "0"]
        running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(replicas)]
        try:
            for process in running:
                assert process.stdin is not None
                process.stdin.write(b"benchmark secret, 16+")
                process.stdin.close()
            addresses = [f"127.0.0.1:{int(process.stdout.readline())}" for process in running if process.stdout]
            began_s = time.perf_counter()
            latencies = asyncio.run(load(addresses, seconds))
            took_s = time.perf_counter() - began_s
        finally:
            for process in running:
                process.terminate()
                process.wait()
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000
    return {
        "what": "check-ins",
        "replicas": replicas,
        "checkins_per_s": len(latencies) / took_s,
        "p50_ms": float(p50),
        "p99_ms": float(p99),
        "replica_cpu_us_a_checkin": 1e6 * (cpu_of_children_s() - before_s) / len(latencies),
    }


def bytes_into_root(updates: int, fan_in: int, weights: int) -> dict[str, Any]:
    """What the topmost node reads, as it lies in the store, against reading every update itself."""
    with tempfile.TemporaryDirectory() as folder:
        store = filled(Path(folder) / "store", updates, fan_in, weights)
        widths = levels(updates, fan_in)
        for level, width in enumerate(widths):
            for place in range(width):
                fold_node(store, "t", 0, Node(level, place), updates)
        below = children(Node(len(widths) - 1, 0), updates, fan_in)
        parts = [store.partial("t", 0, Node(len(widths) - 2, index)) for index in below] if len(widths) > 1 else []
        read = sum(len(partial_to_bytes(part)) for part in parts if part) or 4 * weights * updates
    flat = 4 * weights * updates
    return {
        "what": "bytes into the root",
        "updates": updates,
        "fan_in": fan_in,
        "bytes": read,
        "share_of_flat": read / flat,
        "nodes": sum(widths),
    }


def recovery(updates: int, weights: int) -> dict[str, Any]:
    """Seconds from starting a new root, after the old was killed in the middle of folding, to the next model."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        store = filled(path, updates, 8, weights)
        command = [sys.executable, "-m", "suffice.federated.checkin.root", str(path), "t", "2"]
        first = subprocess.Popen(command)
        while not store.folded("t", 0):
            time.sleep(0.01)
        first.kill()
        first.wait()
        left, began_s = len(store.folded("t", 0)), time.perf_counter()
        second = subprocess.Popen(command)
        while store.status("t").version == 0:
            time.sleep(0.01)
        seconds = time.perf_counter() - began_s
        second.kill()
        second.wait()
    return {"what": "recovery of the root", "updates": updates, "nodes_done_before": left, "seconds": seconds}


def filled(path: Path, updates: int, fan_in: int, weights: int) -> Store:
    """A store with a round's updates in it."""
    store = Store(path)
    store.create_task("t", TaskSettings(weights, "d", target=updates, fan_in=fan_in), np.zeros(weights), time.time())
    delta = np.ones(weights, np.float32)
    for client in range(updates):
        store.add_upload("t", 0, client.to_bytes(16), StoredUpdate(10, 0.5, delta))
    return store


def main(seconds: float) -> None:
    rows = [checkins(replicas, seconds) for replicas in (1, 2)]
    rows += [bytes_into_root(256, fan_in, 10_000) for fan_in in (4, 16, 64, 256)]
    save("federated_checkin", [*rows, recovery(64, 10_000)])


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)
