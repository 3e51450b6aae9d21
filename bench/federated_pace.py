"""What training in the background does to a foreground task, and the foreground to the training.

    python bench/federated_pace.py [REPEATS] [SECONDS]

Foreground: every 10 ms one or two milliseconds of arithmetic on one core; its latency counts from when it was due.
Training: a small network in torch on every core. Alone, with training started plainly (greedy), and with training under
`suffice pace`. The first two seconds of a foreground, in which the controller notices it, are a figure of their own.
Repeats are interleaved; medians are printed. About five minutes; wants a machine with nothing else to do.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
_START_S = 12.0
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


def with_training(
    script: Path, folder: Path, seconds: float, *, paced: bool, foreground: bool
) -> tuple[float, float, float]:
    """Foreground p99 (0 without one), that of its first seconds, and training steps a second, once start-up and
    profiling are over."""
    counter = folder / "steps"
    create_counter(counter)
    train = [sys.executable, str(script), str(_START_S + _SETTLE_S + seconds + 1)]
    prefix = [sys.executable, str(folder / "paced.py"), str(counter)] if paced else []
    running = subprocess.Popen([*prefix, *train], env={"PATH": "/usr/bin:/bin", VARIABLE: str(counter)})
    time.sleep(_START_S)
    before, began = read_counter(counter), time.perf_counter()
    p99, first_p99 = foreground_p99_ms(seconds) if foreground else (0.0, 0.0)
    time.sleep(0.0 if foreground else seconds)
    rate = (read_counter(counter) - before) / (time.perf_counter() - began)
    running.wait()
    return p99, first_p99, rate


PACED = """
import sys
from suffice.federated.pace import Timing, supervise
supervise.create_counter = lambda path: path.symlink_to(sys.argv[1])
supervise.pace_command(sys.argv[2:], timing=Timing(start_s=8.0, profile_s=0.8))
"""


def measure(repeats: int, seconds: float) -> list[dict[str, float]]:
    """The one row."""
    rows: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "train.py"
        script.write_text(TRAIN)
        (folder / "paced.py").write_text(PACED)
        for _ in range(repeats):
            rows.setdefault("alone_p99_ms", []).append(foreground_p99_ms(seconds)[0])
            for paced in (False, True):
                kind = "paced" if paced else "greedy"
                p99, first_p99, rate = with_training(script, folder, seconds, paced=paced, foreground=True)
                rows.setdefault(f"{kind}_p99_ms", []).append(p99)
                rows.setdefault(f"{kind}_first_p99_ms", []).append(first_p99)
                rows.setdefault(f"{kind}_steps_per_s", []).append(rate)
                _, _, free = with_training(script, folder, seconds, paced=paced, foreground=False)
                rows.setdefault(f"{kind}_free_steps_per_s", []).append(free)
    return [_row({key: statistics.median(values) for key, values in rows.items()}, repeats)]


def _row(medians: dict[str, float], repeats: int) -> dict[str, float]:
    """What the issue asks for, from the medians: foreground p99 over that of an idle machine, and training throughput
    beside the foreground over greedy training alone."""
    idle, free = medians["alone_p99_ms"], medians["greedy_free_steps_per_s"]
    return {
        "repeats": repeats,
        **medians,
        "paced_p99_over_idle": medians["paced_p99_ms"] / idle,
        "greedy_p99_over_idle": medians["greedy_p99_ms"] / idle,
        "paced_throughput_kept": medians["paced_steps_per_s"] / free,
        "paced_over_greedy_when_idle": medians["paced_free_steps_per_s"] / free,
    }


if __name__ == "__main__":
    chosen = (int(sys.argv[1]) if len(sys.argv) > 1 else 3, float(sys.argv[2]) if len(sys.argv) > 2 else 6.0)
    save("federated_pace", measure(*chosen))
