"""Check-ins a second and their latency on loopback, for one and two replicas.

python bench/federated_checkin.py [SECONDS]
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
import numpy as np

from suffice.federated.checkin import federation_pb2 as pb
from suffice.federated.checkin.store import Store, TaskSettings

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


def measure(replicas: int, seconds: float) -> dict[str, float]:
    """Start `replicas`, load them, and say how it went."""
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
            latencies = asyncio.run(load(addresses, seconds))
        finally:
            for process in running:
                process.terminate()
                process.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    p50, p99 = np.percentile(latencies, [50, 99]) * 1000
    return {
        "replicas": replicas,
        "checkins_per_s": round(len(latencies) / seconds),
        "p50_ms": round(float(p50), 1),
        "p99_ms": round(float(p99), 1),
        "server_cpu_s_total": round(used.ru_utime + used.ru_stime, 2),
        "checkins": len(latencies),
    }


if __name__ == "__main__":
    for count in (1, 2):
        print(json.dumps(measure(count, float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)))
