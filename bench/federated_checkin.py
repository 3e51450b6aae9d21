"""The control plane on loopback: check-ins a second and their latency, bytes into the root by fan-in, recovery.

    python bench/federated_checkin.py [SECONDS]

The load generator (peers/checkin_load.py, 64 check-ins under way) runs on the same cores as the replicas; the CPU of
the replicas alone is counted beside.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from report import save

from suffice.federated.checkin.leaf import fold_node
from suffice.federated.checkin.partials import folded, get_partial
from suffice.federated.checkin.stores import Store, StoredUpdate, TaskSettings, open_store
from suffice.federated.checkin.tree import Node, children, levels
from suffice.federated.checkin.wire import partial_to_bytes

LOAD = Path(__file__).parent / "peers" / "checkin_load.py"
_CONNECTIONS, _IN_FLIGHT = 4, 16


def load(ports: list[str], seconds: float, rate: float) -> dict[str, float]:
    """What the load generator measured, in a process of its own: flat out, or `rate` check-ins a second."""
    numbers = [seconds, _CONNECTIONS, _IN_FLIGHT, rate, *ports]
    command = [sys.executable, str(LOAD), *map(str, numbers)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """Processor seconds `process` has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def checkins(replicas: int, seconds: float, rates: list[float]) -> list[dict[str, Any]]:
    """Start `replicas`, load them at each of `rates` (0 for as fast as they answer), and say how it went."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        settings = TaskSettings(1000, "d", target=1000, population=1_000_000)
        open_store(path).create_task("t", settings, np.zeros(1000), time.time())
        command = [sys.executable, "-m", "suffice.federated.checkin.service", str(path), "0"]
        running = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(replicas)]
        try:
            for process in running:
                assert process.stdin is not None
                process.stdin.write(b"benchmark secret, 16+")
                process.stdin.close()
            ports = [process.stdout.readline().decode().strip() for process in running if process.stdout]
            load(ports, 0.5, 0.0)
            return [_measured(running, ports, seconds, rate) for rate in rates]
        finally:
            for process in running:
                process.terminate()
                process.wait()


def _measured(running: list[subprocess.Popen[bytes]], ports: list[str], seconds: float, rate: float) -> dict[str, Any]:
    before_s = sum(map(cpu_s, running))
    found = load(ports, seconds, rate)
    used_s = sum(map(cpu_s, running)) - before_s
    return {
        "what": "check-ins" if not rate else f"check-ins, {rate:.0f} a second offered",
        "replicas": len(running),
        **{key: found[key] for key in ("checkins_per_s", "refused", "p50_ms", "p99_ms")},
        "replica_cpu_us_a_checkin": 1e6 * used_s / found["answered"],
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
        parts = [get_partial(store, "t", 0, Node(len(widths) - 2, index)) for index in below] if len(widths) > 1 else []
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
        while not folded(store, "t", 0):
            time.sleep(0.01)
        first.kill()
        first.wait()
        left, began_s = len(folded(store, "t", 0)), time.perf_counter()
        second = subprocess.Popen(command)
        while store.status("t").version == 0:
            time.sleep(0.01)
        seconds = time.perf_counter() - began_s
        second.kill()
        second.wait()
    return {"what": "recovery of the root", "updates": updates, "nodes_done_before": left, "seconds": seconds}


def filled(path: Path, updates: int, fan_in: int, weights: int) -> Store:
    """A store with a round's updates in it."""
    store = open_store(path)
    store.create_task("t", TaskSettings(weights, "d", target=updates, fan_in=fan_in), np.zeros(weights), time.time())
    delta = np.ones(weights, np.float32)
    for client in range(updates):
        store.add_upload("t", 0, client.to_bytes(16), StoredUpdate(10, 0.5, delta))
    return store


def measure(seconds: float) -> list[dict[str, Any]]:
    """All rows."""
    rows = [*checkins(1, seconds, [0.0]), *checkins(2, seconds, [0.0, 3000.0])]
    rows += [bytes_into_root(256, fan_in, 10_000) for fan_in in (4, 16, 64, 256)]
    return [*rows, recovery(64, 10_000)]


if __name__ == "__main__":
    save("federated_checkin", measure(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
