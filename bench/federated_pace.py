"""What training in the background does to a foreground task, and the foreground to the training.

    python bench/federated_pace.py [SECONDS] [RUNS]

Foreground: about every 10 ms one or two milliseconds of arithmetic on one core; its latency counts from when it was
due. Training: a small network in torch on every core, started plainly (greedy), and the same under `suffice pace`. Both
are started once and stopped (SIGSTOP) while they are not looked at.

A machine that others share is now and then half as fast for seconds, so nothing is compared over more than moments: a
cycle of six seconds looks at the foreground alone, beside loops of the kernel's idle class (the floor: they do nothing
but fill the cores, and nobody is less in the way), at both trainings alone, in turn and turned back (A B B A), and at
each beside the foreground, whose every request counts from the first on. When it is due is a little random: at ten
milliseconds sharp it would meet the kernel's clock, which ticks every four, always at the same place, for a whole run.
Percentiles are over all cycles, rates and ratios of them medians over cycles. A row a run; each run starts all anew.
`others_cores` says how many cores were busy with none of these: figures are worth something when that is near 0.
"""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
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
IDLE_LOOP = """
import os
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
while True:
    pass
"""
_PERIOD_S = (0.008, 0.012)
_PROFILED_S = 6.0
_CYCLE_S = 6.6


def work() -> None:
    """One or two milliseconds of arithmetic."""
    total = 0
    for i in range(30_000):
        total += i * i


def foreground_ms(seconds: float) -> list[float]:
    """Milliseconds from when each piece of work was due to when it was done."""
    due, found = time.perf_counter(), []
    end = due + seconds
    while due < end:
        time.sleep(max(0.0, due - time.perf_counter()))
        work()
        found.append(1000 * (time.perf_counter() - due))
        due = max(due + random.uniform(*_PERIOD_S), time.perf_counter())
    return found


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

    def go_on(self) -> None:
        """All its processes, and wait until they are under way."""
        self.tell(signal.SIGCONT)
        time.sleep(0.1)

    def stop(self) -> None:
        """All its processes; those that give way hear of it once they are let in."""
        self.tell(signal.SIGSTOP)
        while any(_state(number) != "T" for number in self._processes()):
            time.sleep(0.005)

    def tell(self, how: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for number in self._processes():
            os.kill(number, how)

    def _processes(self) -> list[int]:
        return sorted({int(thread.parts[2]) for thread in threads_of(self._head.pid)})

    def used_s(self) -> float:
        """Processor seconds of its processes so far."""
        return sum(used.run_s for used in threads_used(self._head.pid).values())

    def steps_per_s(self, seconds: float) -> float:
        """How fast it trains with nobody else there."""
        before, began_s = read_counter(self._counter), time.perf_counter()
        time.sleep(seconds)
        return (read_counter(self._counter) - before) / (time.perf_counter() - began_s)

    def threads(self) -> int:
        """How many threads whoever paces it asks it to take; 0 where nobody does."""
        return int(np.fromfile(self._counter, "<i8")[1])

    def beside(self, seconds: float) -> tuple[float, list[float]]:
        """How fast it trains beside the foreground, and what that says of it."""
        before, began_s = read_counter(self._counter), time.perf_counter()
        latencies = foreground_ms(seconds)
        return (read_counter(self._counter) - before) / (time.perf_counter() - began_s), latencies


def _state(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


@contextmanager
def started() -> Iterator[dict[str, Training]]:
    """Greedy and paced training, past what starting up takes, and a loop for each core; all stopped."""
    found: dict[str, Training] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train.py").write_text(TRAIN)
        (folder / "paced.py").write_text(PACED)
        train = [sys.executable, str(folder / "train.py")]
        commands = {"greedy": train, "paced": [sys.executable, str(folder / "paced.py"), str(folder / "paced"), *train]}
        commands |= {f"floor {core}": [sys.executable, "-c", IDLE_LOOP] for core in os.sched_getaffinity(0)}
        try:
            for way, command in commands.items():
                found[way] = Training(command, folder / way)
                if "floor" not in way:
                    found[way].wait(_PROFILED_S if way == "paced" else 1.0)
                found[way].stop()
            yield found
        finally:
            for one in found.values():
                one.tell(signal.SIGKILL)


def measure(seconds: float, runs: int) -> list[dict[str, float]]:
    """A row a run, each kept as soon as it is there."""
    rows: list[dict[str, float]] = []
    for _ in range(runs):
        rows.append(_run(round(seconds / _CYCLE_S)))
        keep("federated_pace", rows)
    return rows


def _run(cycles: int) -> dict[str, float]:
    latencies: dict[str, list[float]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    threads: dict[str, list[float]] = defaultdict(list)
    with started() as all_ways:
        ways = {way: one for way, one in all_ways.items() if "floor" not in way}
        began_s, busy_s, own_s = time.perf_counter(), machine_busy_s(), _used_s(all_ways.values())
        for _ in range(cycles):
            latencies["alone"] += foreground_ms(1.0)
            with running(*(one for way, one in all_ways.items() if "floor" in way)):
                latencies["floor"] += foreground_ms(1.0)
            free = _in_turn(ways, ("greedy", "paced", "paced", "greedy"), 0.4)
            for way, training in ways.items():
                rates[f"{way}_free"].append(free[way])
                threads[f"{way}_free"].append(training.threads())
                with running(training):
                    rate, found = training.beside(1.0)
                rates[way].append(rate)
                threads[way].append(training.threads())
                latencies[way] += found
        others_s = machine_busy_s() - busy_s - (_used_s(all_ways.values()) - own_s)
        row = _row(others_s / (time.perf_counter() - began_s), latencies, rates)
        return row | {f"{way}_threads": statistics.mean(threads[way]) for way in ("paced_free", "paced")}


def _in_turn(ways: dict[str, Training], order: Sequence[str], seconds: float) -> dict[str, float]:
    """Mean steps a second of each way, with nobody else there."""
    seen: dict[str, list[float]] = defaultdict(list)
    for way in order:
        with running(ways[way]):
            seen[way].append(ways[way].steps_per_s(seconds))
    return {way: statistics.mean(found) for way, found in seen.items()}


@contextmanager
def running(*them: Training) -> Iterator[None]:
    """These go on, for a while."""
    for one in them:
        one.go_on()
    yield
    for one in them:
        one.stop()


def _used_s(them: Iterable[Training]) -> float:
    """Processor seconds of this process and of `them`."""
    return sum(os.times()[:2]) + sum(one.used_s() for one in them)


def _row(others_cores: float, latencies: dict[str, list[float]], rates: dict[str, list[float]]) -> dict[str, float]:
    """What was seen, and what it comes to: foreground p99 over that of an idle machine, and training throughput beside
    the foreground over the better of greedy and paced training alone, cycle by cycle."""
    p99 = {f"{way}_p99_ms": float(np.percentile(values, 99)) for way, values in latencies.items()}
    p50 = {f"{way}_p50_ms": float(np.percentile(values, 50)) for way, values in latencies.items()}
    free = [max(pair) for pair in zip(rates["greedy_free"], rates["paced_free"], strict=True)]
    over = {way: p99[f"{way}_p99_ms"] / p99["alone_p99_ms"] for way in ("floor", "greedy", "paced")}
    return {
        "cycles": len(free),
        "requests_alone": len(latencies["alone"]),
        "others_cores": others_cores,
        **p50,
        **p99,
        **{f"{way}_steps_per_s": statistics.median(seen) for way, seen in rates.items()},
        **{f"{way}_p99_over_idle": ratio for way, ratio in over.items()},
        **{f"{way}_throughput_kept": _median_ratio(rates[way], free) for way in ("greedy", "paced")},
        "paced_over_greedy_when_idle": _median_ratio(rates["paced_free"], rates["greedy_free"]),
    }


def _median_ratio(ours: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, others, strict=True))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    seconds, runs = [float(text) for text in sys.argv[1:]] + [150.0, 1.0][len(sys.argv) - 1 :]
    save("federated_pace", measure(seconds, int(runs)))
