"""What training in the background does to a foreground task, and the foreground to the training.

    python bench/federated_pace.py [REPEATS] [SECONDS]

Foreground: every 10 ms one or two milliseconds of arithmetic on one core; its latency counts from when it was due.
Training: a small network in torch on every core, started plainly (greedy) or under `suffice pace`. Each repeat looks at
the foreground on the idle machine, then at each way of training, first without and then with the foreground; the first
two seconds of a foreground, in which the controller notices it, are a figure of their own. Medians over the repeats are
printed. `others_cores` says how many cores were busy with neither of the two: figures are worth something when that is
near 0. Under a minute a repeat.
"""

from __future__ import annotations

import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
from report import save

from suffice.federated.pace.steps import VARIABLE, create_counter, read_counter

TRAIN = """
import sys, time, torch
from suffice.federated.pace import step
net = torch.nn.Sequential(torch.nn.Linear(256, 512), torch.nn.ReLU(), torch.nn.Linear(512, 10))
optimiser = torch.optim.SGD(net.parameters(), lr=0.01)
x, y = torch.randn(256, 256), torch.randint(0, 10, (256,))
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    optimiser.zero_grad()
    torch.nn.functional.cross_entropy(net(x), y).backward()
    optimiser.step()
    step()
"""
_PERIOD_S = 0.01
_START_S = 10.0
_SETTLE_S = 2.0


def work() -> None:
    """One or two milliseconds of arithmetic."""
    total = 0
    for i in range(30_000):
        total += i * i


def foreground_p99_ms(seconds: float) -> tuple[float, float]:
    """99th percentile of the time from when a piece of work was due to when it was done, once the controller has had
    time to notice; and that of the time before."""
    due, settling, settled = time.perf_counter(), [], []
    begin = due + _SETTLE_S
    while due < begin + seconds:
        time.sleep(max(0.0, due - time.perf_counter()))
        work()
        (settling if due < begin else settled).append(time.perf_counter() - due)
        due = max(due + _PERIOD_S, time.perf_counter())
    return tuple(float(np.percentile(latencies, 99) * 1000) for latencies in (settled, settling))


class Seen(NamedTuple):
    """Foreground p99 in milliseconds, settled and in its first seconds, and training steps a second without and with
    the foreground."""

    p99_ms: float
    first_p99_ms: float
    free_steps_per_s: float
    steps_per_s: float


def with_training(script: Path, folder: Path, seconds: float, *, paced: bool) -> Seen:
    """One way of training, once start-up and profiling are over: alone, then beside the foreground."""
    counter = folder / "steps"
    create_counter(counter)
    train = [sys.executable, str(script), str(_START_S + _SETTLE_S + 2 * seconds + 1)]
    prefix = [sys.executable, str(folder / "paced.py"), str(counter)] if paced else []
    running = subprocess.Popen([*prefix, *train], env={"PATH": "/usr/bin:/bin", VARIABLE: str(counter)})
    time.sleep(_START_S)
    marks = [(time.perf_counter(), read_counter(counter))]
    time.sleep(seconds)
    marks.append((time.perf_counter(), read_counter(counter)))
    latencies = foreground_p99_ms(seconds)
    marks.append((time.perf_counter(), read_counter(counter)))
    running.wait()
    rates = [(after - before) / (end_s - began_s) for (began_s, before), (end_s, after) in itertools.pairwise(marks)]
    return Seen(*latencies, *rates)


PACED = """
import sys
from suffice.federated.pace import Timing, supervise
supervise.create_counter = lambda path: path.symlink_to(sys.argv[1])
supervise.pace_command(sys.argv[2:], timing=Timing(start_s=6.0, profile_s=0.8))
"""


def measure(repeats: int, seconds: float) -> list[dict[str, float]]:
    """The one row."""
    rows: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "train.py"
        script.write_text(TRAIN)
        (folder / "paced.py").write_text(PACED)
        for _ in range(repeats):
            began_s, busy_s, own_s = time.perf_counter(), _busy_s(), _own_s()
            rows["alone_p99_ms"].append(foreground_p99_ms(seconds)[0])
            for paced in (False, True):
                for key, value in with_training(script, folder, seconds, paced=paced)._asdict().items():
                    rows[f"{'paced' if paced else 'greedy'}_{key}"].append(value)
            others_s = _busy_s() - busy_s - (_own_s() - own_s)
            rows["others_cores"].append(others_s / (time.perf_counter() - began_s))
            print({key: round(values[-1], 2) for key, values in rows.items()}, file=sys.stderr, flush=True)
    return [_row(rows)]


def _busy_s() -> float:
    """Processor seconds of the whole machine so far."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return (sum(ticks[:3]) + sum(ticks[5:8])) / os.sysconf("SC_CLK_TCK")


def _own_s() -> float:
    """Those of this process and of the children that have ended."""
    return sum(os.times()[:4])


def _row(rows: dict[str, list[float]]) -> dict[str, float]:
    """Medians, and what it comes to in each repeat: foreground p99 over that of an idle machine, and training
    throughput beside the foreground over the better of greedy and paced training alone."""
    repeats = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
    came_to = [_came_to(repeat) for repeat in repeats]
    medians = {key: statistics.median(values) for key, values in rows.items()}
    ratios = {key: statistics.median(one[key] for one in came_to) for key in came_to[0]}
    return {"repeats": len(repeats), **medians, **ratios}


def _came_to(seen: dict[str, float]) -> dict[str, float]:
    greedy, paced = seen["greedy_free_steps_per_s"], seen["paced_free_steps_per_s"]
    return {
        "greedy_p99_over_idle": seen["greedy_p99_ms"] / seen["alone_p99_ms"],
        "paced_p99_over_idle": seen["paced_p99_ms"] / seen["alone_p99_ms"],
        "greedy_throughput_kept": seen["greedy_steps_per_s"] / max(greedy, paced),
        "paced_throughput_kept": seen["paced_steps_per_s"] / max(greedy, paced),
        "paced_over_greedy_when_idle": paced / greedy,
    }


if __name__ == "__main__":
    chosen = (int(sys.argv[1]) if len(sys.argv) > 1 else 3, float(sys.argv[2]) if len(sys.argv) > 2 else 6.0)
    save("federated_pace", measure(*chosen))
