"""What 40 of the packaged clip's 795 frames cost, against decoding all of them.

Run: ``python bench/seek.py``. Both sides end in RGB arrays, on one decoder thread. "All" is measured twice: through our
own decoder, which is the smaller figure and so the harder to be compared with, and through the loop one writes by hand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import av
import numpy as np

from suffice.assets import asset_path
from suffice.media.video import DecodeStats, decode_frames, index_video

CLIP = str(asset_path("pedestrians.mp4"))
INDEX = index_video(CLIP)
WANTED, REPEATS = 40, 5
RESULTS = Path(__file__).parent / "results" / "seek.json"

Ints = np.ndarray


def choices() -> Iterator[tuple[str, Ints]]:
    """Ways to want 40 frames, from the kindest to the format to the hardest."""
    random = np.random.default_rng(0)
    yield "contiguous, from a key frame", np.arange(400, 400 + WANTED)
    yield "contiguous, anywhere", np.arange(start := int(random.integers(0, len(INDEX) - WANTED)), start + WANTED)
    yield "contiguous, worst start", np.arange(349, 349 + WANTED)
    yield "four scenes of ten", np.concatenate([np.arange(start, start + 10) for start in (60, 260, 460, 660)])
    yield "all 16 key frames", np.flatnonzero(INDEX.key_frame)
    yield "random", np.sort(random.choice(len(INDEX), WANTED, replace=False))
    yield "evenly spread", np.linspace(0, len(INDEX) - 1, WANTED).astype(np.int64)


def fastest_s(works: dict[str, Callable[[], None]]) -> dict[str, float]:
    """The fastest of several runs of each, taken in turns, so that what else the machine does hurts none alone."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(REPEATS):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in times.items()}


def ours(wanted: Ints, threads: int = 1, stats: DecodeStats | None = None) -> None:
    for _, image in decode_frames(CLIP, wanted, INDEX, threads=threads, stats=stats):
        assert not isinstance(image, Exception)


def by_hand() -> None:
    with av.open(CLIP) as container:
        container.streams.video[0].thread_type = "NONE"
        for frame in container.decode(video=0):
            frame.to_ndarray(format="rgb24")


def main() -> None:
    everything = np.arange(len(INDEX))
    works: dict[str, Callable[[], None]] = {
        "all": lambda: ours(everything),
        "all, two threads": lambda: ours(everything, 2),
        "all, by hand": by_hand,
        "index": lambda: void(index_video(CLIP)),
    }
    taken_s = fastest_s(works | {name: partial(ours, wanted) for name, wanted in choices()})
    result = {
        "frames": len(INDEX),
        "seconds": {name: round(taken_s[name], 4) for name in works},
        "choices": [row(name, wanted, taken_s) for name, wanted in choices()],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    report(result)


def void(_: object) -> None:
    """Drop a result."""


def row(name: str, wanted: Ints, taken_s: dict[str, float]) -> dict[str, object]:
    stats = DecodeStats()
    ours(wanted, stats=stats)
    return {
        "wanted": name,
        "frames": len(wanted),
        "seeks": stats.seeks,
        "packets": len(stats.packet_pts),
        "decoded": stats.decoded,
        "seconds": round(taken_s[name], 4),
        "of_all": round(taken_s[name] / taken_s["all"], 4),
        "of_all_by_hand": round(taken_s[name] / taken_s["all, by hand"], 4),
    }


def report(result: dict) -> None:
    for name, taken_s in result["seconds"].items():
        print(f"{name:<30}{taken_s:>25.3f} s")
    print(f"\n{'wanted':<30}{'frames':>7}{'decoded':>9}{'seconds':>9}{'of all':>8}{'of by hand':>12}")
    for row in result["choices"]:
        figures = f"{row['seconds']:>9.3f}{row['of_all']:>8.1%}{row['of_all_by_hand']:>12.1%}"
        print(f"{row['wanted']:<30}{row['frames']:>7}{row['decoded']:>9}{figures}")


if __name__ == "__main__":
    main()
