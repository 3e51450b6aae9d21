"""What 40 of the packaged clip's 795 frames cost, against decoding all of them.

What is possible at all is printed beside it. A picture can be decoded only after those that it leans on, so from the
key frame on every picture that the file marks as referenced is *needed*, up to the last one wanted of its group; which
of them are leaned on in truth is known only after decoding. Even a decoder that knew would need the *floor*: intra and
predicted pictures lean on each other in a chain. Where `decoded` is `needed`, no picture was decoded in vain.

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


def stored_pictures() -> list[tuple[bool, bool]]:
    """For each picture, in stored order: whether the file marks it as referenced, and whether it is in the chain."""
    with av.open(CLIP) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        referenced = [any(is_referenced(unit) for unit in slices(bytes(packet))) for packet in packets]
    with av.open(CLIP) as container:
        shown = [int(frame.pict_type) in (1, 2) for frame in container.decode(video=0)]
    chained = [shown[index] for index in np.argsort(INDEX.packet)]
    return list(zip(referenced, chained, strict=True))


def slices(packet: bytes) -> Iterator[int]:
    """The first byte of each coded slice in an H.264 packet of length-prefixed units."""
    place = 0
    while place < len(packet):
        length, head = int.from_bytes(packet[place : place + 4], "big"), packet[place + 4]
        if head & 31 in (1, 5):
            yield head
        place += 4 + length


def is_referenced(head: int) -> bool:
    return head >> 5 & 3 > 0


def bounds(wanted: Ints, stored: list[tuple[bool, bool]]) -> tuple[int, int]:
    """Pictures that are needed, and the floor."""
    needed, floor = set(INDEX.packet[wanted].tolist()), set(INDEX.packet[wanted].tolist())
    for key in np.unique(INDEX.key[wanted]):
        last = int(INDEX.packet[wanted[INDEX.key[wanted] == key]].max())
        group = range(int(INDEX.key_packet[key]), last + 1)
        needed |= {place for place in group if stored[place][0]}
        floor |= {place for place in group if stored[place][1]}
    return len(needed), len(floor)


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
    stored = stored_pictures()
    result = {
        "frames": len(INDEX),
        "seconds": {name: round(taken_s[name], 4) for name in works},
        "choices": [row(name, wanted, taken_s, stored) for name, wanted in choices()],
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    report(result)


def void(_: object) -> None:
    """Drop a result."""


def row(name: str, wanted: Ints, taken_s: dict[str, float], stored: list[tuple[bool, bool]]) -> dict[str, object]:
    stats = DecodeStats()
    needed, floor = bounds(wanted, stored)
    ours(wanted, stats=stats)
    return {
        "wanted": name,
        "frames": len(wanted),
        "seeks": stats.seeks,
        "packets": len(stats.packet_pts),
        "decoded": stats.decoded,
        "needed": needed,
        "floor": floor,
        "floor_of_all": round(floor / len(INDEX), 4),
        "seconds": round(taken_s[name], 4),
        "of_all": round(taken_s[name] / taken_s["all"], 4),
        "of_all_by_hand": round(taken_s[name] / taken_s["all, by hand"], 4),
    }


def report(result: dict) -> None:
    for name, taken_s in result["seconds"].items():
        print(f"{name:<30}{taken_s:>25.3f} s")
    heads = f"{'frames':>7}{'decoded':>9}{'needed':>8}{'floor':>7}{'seconds':>9}{'of all':>8}{'of by hand':>12}"
    print(f"\n{'wanted':<30}{heads}")
    for row in result["choices"]:
        figures = f"{row['seconds']:>9.3f}{row['of_all']:>8.1%}{row['of_all_by_hand']:>12.1%}"
        print(f"{row['wanted']:<30}{row['frames']:>7}{row['decoded']:>9}{row['needed']:>8}{row['floor']:>7}{figures}")


if __name__ == "__main__":
    main()
