"""What training in the background does to a foreground task, and the foreground to the training.

    python bench/federated_pace.py [CYCLES] [SECONDS] [RUNS]

Foreground: every 10 ms one or two milliseconds of arithmetic on one core; its latency counts from when it was due.
Training: a small network in torch on every core, started plainly (greedy), and the same under `suffice pace`. Both are
started once and stopped (SIGSTOP) while they are not looked at. Each cycle looks at the foreground on the idle machine,
then at each way of training, first without and then with the foreground; the first second of a foreground, in which
the controller may notice it, is a figure of its own. Percentiles are over all cycles, rates and ratios of them medians.
A row a run, and each run starts both anew.
`others_cores` says how many cores were busy with none of these: figures are worth something when that is near 0.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from report import keep, save

from suffice.federated.pace.process import machine_busy_s, threads_of, threads_used
from suffice.federated.pace.steps import VARIABLE, create_counter, read_counter

TRAIN = """
import torch
from suffice.federated.pace import step
net = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
x, y = torch.randn(256, 256), torch.randint(0, 10, (256,))
while True:
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    optimiser.step()
    step()
"""
PACED = """
import sys
from suffice.federated.pace import Terms, Timing, command
command.create_counter = lambda path: path.symlink_to(sys.argv[1])
command.pace_command(sys.argv[2:], Terms(timing=Timing(profile_s=0.8)))
"""
_PERIOD_S = 0.01
_SETTLE_S = 1.0
_PROFILED_S = 6.0


def work() -> None:
    """One or two milliseconds of arithmetic."""
    total = 0
    for i in range(30_000):
        total += i * i


def foreground_ms(seconds: float) -> tuple[list[float], list[float]]:
    """Milliseconds from when each piece of work was due to when it was done: in the first moments, and after."""
    due, settling, settled = time.perf_counter(), [], []
    begin = due + _SETTLE_S
    while due < begin + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        work()
        (settling if due < begin else settled).append(1000 * (time.perf_counter() - due))
        due = max(due + _PERIOD_S, time.perf_counter())
    return settling, settled


class Training:
    """A way of training, stopped until it is told to go on."""

    def __init__(self, command: list[str], counter: Path) -> None:
        create_counter(counter)
        self._counter = counter
        names = {"PATH": "/usr/bin:/bin", VARIABLE: str(counter)}
        self._head = subprocess.Popen(command, env=names, stdout=subprocess.DEVNULL)

    def wait(self, seconds: float) -> None:
        """Until it has begun to step, and `seconds` more."""
        while read_counter(self._counter) < 3:
            time.sleep(0.05)
        time.sleep(seconds)

    def tell(self, how: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for number in sorted({int(thread.parts[2]) for thread in threads_of(self._head.pid)}):
            os.kill(number, how)

    def used_s(self) -> float:
        """Processor seconds of its processes so far."""
        return sum(used.run_s for used in threads_used(self._head.pid).values())

    def steps_per_s(self, seconds: float) -> float:
        """How fast it trains with nobody else there."""
        before, began_s = read_counter(self._counter), time.perf_counter()
        time.sleep(seconds)
        return (read_counter(self._counter) - before) / (time.perf_counter() - began_s)

    def beside(self, seconds: float) -> tuple[float, list[float], list[float]]:
        """How fast it trains beside the foreground, and what that says of it."""
        before, began_s = read_counter(self._counter), time.perf_counter()
        latencies = foreground_ms(seconds)
        return (read_counter(self._counter) - before) / (time.perf_counter() - began_s), *latencies


@contextmanager
def trainings() -> Iterator[dict[str, Training]]:
    """Greedy and paced, both past what starting up takes, both stopped."""
    found: dict[str, Training] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.py").write_text(TRAIN)
        (folder / "paced.py").write_text(PACED)
        train = [sys.executable, str(folder / "train.py")]
        commands = {"greedy": train, "paced": [sys.executable, str(folder / "paced.py"), str(folder / "paced"), *train]}
        try:
            for way, command in commands.items():
                found[way] = Training(command, folder / way)
                found[way].wait(_PROFILED_S)
                found[way].tell(signal.SIGSTOP)
            yield found
        finally:
            for one in found.values():
                one.tell(signal.SIGKILL)


def measure(cycles: int, seconds: float, runs: int) -> list[dict[str, float]]:
    """A row a run, each kept as soon as it is there."""
    rows: list[dict[str, float]] = []
    for _ in range(runs):
        rows.append(_run(cycles, seconds))
        keep("federated_pace", rows)
    return rows


def _run(cycles: int, seconds: float) -> dict[str, float]:
    latencies: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    with trainings() as ways:
        for _ in range(cycles):
            latencies["alone"] += foreground_ms(seconds)[1]
            for way, training in ways.items():
                training.tell(signal.SIGCONT)
                time.sleep(_SETTLE_S / 2)
                began_s, busy_s, own_s = time.perf_counter(), machine_busy_s(), _used_s(training)
                rates[f"{way}_free"].append(training.steps_per_s(seconds / 2))
                rate, first, then = training.beside(seconds)
                others_s = machine_busy_s() - busy_s - (_used_s(training) - own_s)
                rates["others_cores"].append(others_s / (time.perf_counter() - began_s))
                training.tell(signal.SIGSTOP)
                rates[way].append(rate)
                latencies[way] += then
                latencies[f"{way}_first"] += first
    return _row(cycles, latencies, rates)


def _used_s(training: Training) -> float:
    """Those of this process and of `training`."""
    return sum(os.times()[:2]) + training.used_s()


def _row(cycles: int, latencies: dict[str, list[float]], rates: dict[str, list[float]]) -> dict[str, float]:
    """What was seen, and what it comes to: foreground p99 over that of an idle machine, and training throughput beside
    the foreground over the better of greedy and paced training alone."""
    p99 = {f"{way}_p99_ms": float(np.percentile(values, 99)) for way, values in latencies.items()}
    p50 = {f"{way}_p50_ms": float(np.percentile(values, 50)) for way, values in latencies.items() if "first" not in way}
    seen = {way: statistics.median(values) for way, values in rates.items()}
    free = max(seen["greedy_free"], seen["paced_free"])
    idle = [paced / greedy for paced, greedy in zip(rates["paced_free"], rates["greedy_free"], strict=True)]
    return {
        "cycles": cycles,
        "others_cores": seen.pop("others_cores"),
        **p50,
        **p99,
        **{f"{way}_steps_per_s": rate for way, rate in seen.items()},
        **{f"{way}_p99_over_idle": p99[f"{way}_p99_ms"] / p99["alone_p99_ms"] for way in ("greedy", "paced")},
        **{f"{way}_throughput_kept": seen[way] / free for way in ("greedy", "paced")},
        "paced_over_greedy_when_idle": statistics.median(idle),
    }


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    cycles, seconds, runs = [float(text) for text in sys.argv[1:]] + [6.0, 4.0, 1.0][len(sys.argv) - 1 :]
    save("federated_pace", measure(int(cycles), seconds, int(runs)))
