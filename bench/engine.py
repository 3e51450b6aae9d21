"""Ray's workers as the engine for detect(): two against one, on this machine, over the same frames.

Each run is a fresh store in memory; the actors are warm (a small question before), as they stay over a connection. A
worker is one process with one thread that predicts and one that decodes; the client is a third.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from report import save

import suffice
from suffice.assets import asset_path

WARM = "SELECT count(*) FROM frames('{clip}', fps => 0.05) f, detect(f.image) o"
ASKED = (
    "SELECT f.frame_index, o.label, o.score, o.x0, o.y0 FROM frames('{clip}') f, detect(f.image) o"
    " WHERE f.frame_index < {frames} ORDER BY ALL"
)


@contextmanager
def warmed(engine: str) -> Iterator[suffice.Connection]:
    with suffice.connect(progress=False, engine=engine) as con:
        con.sql(WARM.format(clip=asset_path("pedestrians.mp4")))
        yield con


def seconds(con: suffice.Connection, frames: int) -> tuple[float, list[Any]]:
    con.store.drop(model="detect")
    started = time.perf_counter()
    rows = con.sql(ASKED.format(clip=asset_path("pedestrians.mp4"), frames=frames)).fetchall()
    return time.perf_counter() - started, rows


def compared(frames: int, rounds: int) -> list[dict[str, Any]]:
    """Two workers and one, and this process alone, in turn within a round."""
    times: dict[str, list[float]] = {}
    found: dict[str, list[Any]] = {}
    for _ in range(rounds):
        for engine in ("ray?workers=1", "ray?workers=2", "local"):
            with warmed(engine) as con:
                took, found[engine] = seconds(con, frames)
                times.setdefault(engine, []).append(took)
    ratios = [one / two for one, two in zip(times["ray?workers=1"], times["ray?workers=2"], strict=True)]
    local = [here / two for here, two in zip(times["local"], times["ray?workers=2"], strict=True)]
    return [
        {
            "what": "two workers of Ray / one, detect()",
            "value": statistics.median(ratios),
            "target": 1.6,
            "seconds": {engine: statistics.median(took) for engine, took in times.items()},
            "cores": os.cpu_count(),
            "rows": len(found["local"]),
            "rows_equal": found["ray?workers=1"] == found["ray?workers=2"] == found["local"],
        },
        {"what": "two workers of Ray / this process with two threads", "value": statistics.median(local)},
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    save("engine", compared(chosen.frames, chosen.rounds))


if __name__ == "__main__":
    main()
