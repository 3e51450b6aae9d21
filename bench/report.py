"""What every benchmark shares: times in turn, medians, a table, a file in bench/results."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def in_turn(ours: Callable[[], Any], other: Callable[[], Any], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of both, A B A B …, so that a machine that slows down slows both."""
    a, b = [], []
    for _ in range(rounds):
        a.append(seconds(ours))
        b.append(seconds(other))
    return a, b


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratio(ours: list[float], other: list[float]) -> float:
    """Median of the pairwise ratios ours / other."""
    return statistics.median(a / b for a, b in zip(ours, other, strict=True))


def keep(name: str, rows: list[dict[str, Any]]) -> None:
    """Keep `rows` as bench/results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "processor": platform.machine()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "rows": rows}, indent=1) + "\n")


def kept(name: str) -> list[dict[str, Any]]:
    """The rows of bench/results/NAME.json, none where there is no such file."""
    path = RESULTS / f"{name}.json"
    return list(json.loads(path.read_text())["rows"]) if path.exists() else []


def save(name: str, rows: list[dict[str, Any]]) -> None:
    """Print `rows` and keep them as bench/results/NAME.json."""
    keep(name, rows)
    for row in rows:
        print(
            " | ".join(
                f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()
            )
        )
