"""Oracle calls for 5 % at 95 % on the packaged clip: ours, uniform sampling with the same validity, an oracle's.

    python bench/enough.py [--store FILE] [--runs N] [--wall] [--explain] [--all]

All frames are detected once (kept in `--store`); every run then samples from what was found, so calls are counted
and the detector is not run again. "Uniform" is betting on one uniform sample with the same ranges (BoundedMean,
UniformRatio). "Knowing the variance" is the normal-theory size an oracle would take: no procedure that has to earn its
interval gets there. With `--wall`, one question is timed on fresh stores, sampled against full, and
what each gave to the video decoder is counted.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.stats import norm
from uniform_ratio import UniformRatio

import suffice
from suffice.answer import aggregate
from suffice.answer.aggregate import AHEAD_UNITS
from suffice.assets import asset_path
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.estimate.relative import relative_half_width
from suffice.media import load
from suffice.media.decode_frames import DecodeStats, decode_frames

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).parent / "results" / "enough.json"
PICTURE = ROOT / "docs" / "images" / "enough.jpg"
ERROR, CONFIDENCE = 0.05, 0.95
CROWD = "(SELECT count(*) FROM found(f.frame) o WHERE label = 'person') >= 7"
QUESTIONS = {
    "count of people": "SELECT count(*) AS n FROM seen f, found(f.frame) o WHERE label = 'person'",
    "avg people a frame": "SELECT count(label) / count(DISTINCT f.frame) AS n FROM seen f"
    " LEFT JOIN found(f.frame) o ON label = 'person'",
    "avg score of people": "SELECT avg(score) AS n FROM seen f, found(f.frame) o WHERE label = 'person'",
    "frames with >= 7 people": f"SELECT count(*) AS n FROM seen f WHERE {CROWD}",
}


def detections(store: str) -> list[list[tuple[str, float]]]:
    """(label, score) of what is in each frame of the clip."""
    with suffice.connect(store) as con:
        rows = con.sql(
            "SELECT f.frame_index, o.label, o.score FROM frames(" + repr(str(asset_path("pedestrians.mp4"))) + ") f"
            " LEFT JOIN detect(f.image) o ON true ORDER BY f.frame_index, o.object_id"
        ).fetchall()
    frames: list[list[tuple[str, float]]] = [[] for _ in range(1 + max(row[0] for row in rows))]
    for frame, label, score in rows:
        if label is not None:
            frames[frame].append((label, score))
    return frames


def replayed(frames: list[list[tuple[str, float]]], cap: int) -> suffice.Connection:
    """A connection in which ``found(frame)`` is what the detector said, at most `cap` things."""
    con = suffice.connect(progress=False)

    @suffice.model(
        version=str(cap), outputs={"label": "VARCHAR", "score": "DOUBLE"}, returns="rows", rows_max=cap,
        ranges={"score": (0.4999, 1.0)}, batch_size=64,
    )  # fmt: skip
    def found(frame: int):  # type: ignore[no-untyped-def]
        return frames[frame][:cap]

    con.register("found", found)
    clip = repr(str(asset_path("pedestrians.mp4")))
    con.sql(f"CREATE VIEW seen AS SELECT frame_index AS frame FROM frames({clip})")
    return con


def uniform(question: str, y: np.ndarray, m: np.ndarray, cap: int, seed: int) -> int:
    """Frames that betting on a uniform sample takes."""
    order = np.random.default_rng(seed).permutation(y.size)
    aim = Aim(relative=ERROR)
    is_ratio = question == "avg score of people"
    high = 1.0 if question.startswith("frames") else float(cap)
    mean = None if is_ratio else BoundedMean(y.size, 0.0, high, CONFIDENCE, aim)
    ratio = UniformRatio(y.size, 0.4999, 1.0, cap, CONFIDENCE, aim) if is_ratio else None
    for n in range(0, y.size, 8):
        units = order[n : n + 8]
        if mean is not None:
            mean.observe(y[units])
        elif ratio is not None:
            ratio.observe(y[units], m[units])
        bounds = (mean or ratio).bounds()  # type: ignore[union-attr]
        if relative_half_width(*bounds) <= ERROR:
            return min(n + 8, y.size)
    return int(y.size)


def knowing(y: np.ndarray, m: np.ndarray, is_ratio: bool) -> float:
    """Frames for a normal-theory interval when the variance is known, with finite-population correction."""
    value = y.sum() / m.sum() if is_ratio else y.mean()
    spread = np.std(y - value * m) / m.mean() if is_ratio else np.std(y)
    n = (norm.ppf((1 + CONFIDENCE) / 2) * spread / (ERROR * value)) ** 2
    return float(n / (1 + n / y.size))


def per_frame(question: str, frames: list[list[tuple[str, float]]]) -> tuple[np.ndarray, np.ndarray]:
    m = np.array([sum(label == "person" for label, _ in found) for found in frames], dtype=np.float64)
    if question == "avg score of people":
        return np.array([sum(s for label, s in found if label == "person") for found in frames]), m
    return ((m >= 7) * 1.0 if question.startswith("frames") else m), np.ones_like(m)


def calls(frames: list[list[tuple[str, float]]], runs: int) -> list[dict[str, Any]]:
    rows = []
    for cap in (20, 100):
        con = replayed(frames, cap)
        for name, statement in QUESTIONS.items():
            cell = con.coverage(f"{statement} WITHIN {ERROR:.0%} CONFIDENCE {CONFIDENCE:.0%}", runs=runs, seed=cap)
            y, m = per_frame(name, frames)
            rows.append(
                {
                    "question": name,
                    "things_a_frame_max": cap,
                    "frames": y.size,
                    "ours": cell.mean_n,
                    "held": cell.observed,
                    "uniform": float(np.mean([uniform(name, y, m, cap, s) for s in range(runs)])),
                    "knowing_the_variance": knowing(y, m, name == "avg score of people"),
                }
            )
            print({key: round(v, 1) if isinstance(v, float) else v for key, v in rows[-1].items()}, flush=True)
    return rows


def explained(frames: list[list[tuple[str, float]]]) -> list[dict[str, Any]]:
    """What EXPLAIN predicts from 60 known frames, and the calls the statement then takes."""
    things = "SELECT count(*) AS n FROM seen f, found(f.frame) o WHERE label ="
    score = "SELECT sum(score) AS n FROM seen f, found(f.frame) o WHERE label = 'person'"
    count, per, mean, crowd = QUESTIONS.values()
    asked = [(count, 5), (count, 10), (count, 3), (per, 5), (mean, 5), (mean, 2), (crowd, 10), (crowd, 20), (score, 5)]
    asked += [(f"{things} 'truck'", 20), (f"{things} 'car'", 30), (f"{count} -- 100 things a frame", 10)]
    rows = []
    for question, error in asked:
        con = replayed(frames, 100 if "--" in question else 20)
        con.sql("SELECT count(*) FROM seen f, found(f.frame) o WHERE hash(f.frame) % 13 = 0")
        target = f"{question.partition(' --')[0]} WITHIN {error}%"
        found = re.search(r": ([\d,]+) to ([\d,]+) of", con.explain(target))
        assert found is not None
        low, high = (int(end.replace(",", "")) for end in found.groups())
        took = con.sql(target, seed=1).work.model_calls["found"].done
        rows.append({"question": question, "error": error, "predicted": [low, high], "took": took})
        print(rows[-1], low <= took <= high, flush=True)
    return rows


def wall() -> dict[str, Any]:
    """Seconds of one question on the whole clip, sampled and full, each on a fresh store (medians of three); frames are
    sought, not read through, where that is less to decode."""
    clip = repr(str(asset_path("pedestrians.mp4")))
    frames = f"frames({clip}) f, detect(f.image, max_objects => 20) o"
    ask = f"SELECT count(*) AS n FROM {frames} WHERE label = 'person'"
    found: dict[str, Any] = {"statement": "count of people in all 795 frames, WITHIN 5%"}
    with suffice.connect() as con:  # weights are loaded before either is timed
        con.sql(f"SELECT count(*) FROM frames({clip}) f, detect(f.image, max_objects => 20) o WHERE frame_index < 2")
    ways = {"sampled": " WITHIN 5%", "sampled, nothing kept ahead": " WITHIN 5%", "full": ""}
    timed: dict[str, list[float]] = {name: [] for name in ways}
    for name in (*ways, "sampled", "full", "sampled", "full"):
        stats = DecodeStats()
        load.decode_frames = counted(stats)
        aggregate.AHEAD_UNITS = 0 if "nothing" in name else AHEAD_UNITS
        with tempfile.TemporaryDirectory() as folder, suffice.connect(Path(folder) / "s.suffice") as con:
            started = time.perf_counter()
            work = con.sql(ask + ways[name], seed=1).work
            timed[name].append(time.perf_counter() - started)
            found[name] = {"seconds": median(timed[name]), "calls": work.model_calls["detect"].done}
            found[name]["packets"] = len(stats.packet_pts)
    found["calls_ratio"] = found["sampled"]["calls"] / found["full"]["calls"]
    found["seconds_ratio"] = found["sampled"]["seconds"] / found["full"]["seconds"]
    return found


def counted(stats: DecodeStats) -> Callable[..., Any]:
    """Decoding frames, with what it costs put down in `stats`, whoever asks."""
    return lambda *given, **told: decode_frames(*given, **{**told, "stats": stats})


def draw(frames: list[list[tuple[str, float]]], rows: list[dict[str, Any]]) -> None:
    """Left: the interval of one run as it closes. Right: frames looked at, by question."""
    con, truth = replayed(frames, 20), sum(label == "person" for found in frames for label, _ in found)
    partials = list(con.stream(QUESTIONS["count of people"] + f" WITHIN {ERROR:.0%}", seed=1))
    steps = [(p.guarantee.sampled, *p.guarantee.intervals["n"][0]) for p in partials if p.guarantee]
    image = Image.new("RGB", (1180, 460), "white")
    pen = ImageDraw.Draw(image)
    left, top, width, height, most = 70, 50, 470, 340, 2.0 * truth

    def at(n: float, value: float) -> tuple[float, float]:
        return left + width * n / steps[-1][0], top + height * (1 - min(value, most) / most)

    pen.text((left, 18), "People in the clip: the interval after each round (5 % at 95 %)", fill="black", font_size=15)
    pen.polygon([at(n, low) for n, low, _ in steps] + [at(n, high) for n, _, high in steps[::-1]], fill="#cfe3f5")
    pen.line([at(n, low) for n, low, _ in steps], fill="#1f6fb4", width=2)
    pen.line([at(n, high) for n, _, high in steps], fill="#1f6fb4", width=2)
    pen.line([at(0, truth), at(steps[-1][0], truth)], fill="#c0392b", width=2)
    pen.text((left + 8, at(0, truth)[1] - 20), f"all frames: {truth:,}", fill="#c0392b", font_size=13)
    pen.rectangle((left, top, left + width, top + height), outline="#888888")
    for value in range(0, int(most) + 1, 2000):
        pen.text((left - 46, at(0, value)[1] - 8), f"{value:,}", fill="black", font_size=13)
    for n in range(0, steps[-1][0] + 1, 50):
        pen.text((at(n, 0)[0] - 8, top + height + 8), str(n), fill="black", font_size=13)
    pen.text((left + 150, top + height + 28), "frames looked at", fill="black", font_size=13)
    _bars(pen, [row for row in rows if row["things_a_frame_max"] == 20])
    image.save(PICTURE, quality=88)


def _bars(pen: ImageDraw.ImageDraw, rows: list[dict[str, Any]]) -> None:
    colours = {"ours": "#1f6fb4", "uniform": "#9bbfdd", "knowing_the_variance": "#bbbbbb"}
    pen.text((610, 18), "Frames looked at, of 795 (at most 20 things a frame)", fill="black", font_size=15)
    y = 50
    for row in rows:
        pen.text((610, y), row["question"], fill="black", font_size=13)
        y += 20
        for name, colour in colours.items():
            length = 380 * row[name] / row["frames"]
            pen.rectangle((610, y, 610 + length, y + 14), fill=colour)
            pen.text((616 + length, y - 1), f"{name.replace('_', ' ')} {row[name]:.0f}", fill="black", font_size=12)
            y += 18
        y += 12


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", default=str(ROOT / "out" / "clip.suffice"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--wall", action="store_true", help="only the seconds of one question")
    parser.add_argument("--explain", action="store_true", help="only predictions beside what was taken")
    parser.add_argument("--all", action="store_true", help="calls as well as seconds")
    options = parser.parse_args()
    Path(options.store).parent.mkdir(exist_ok=True)
    frames = detections(options.store)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    if options.wall:
        results["wall"] = wall()
        print(results["wall"], flush=True)
    if options.explain or options.all:
        results["explain"] = explained(frames)
    if options.all or not (options.wall or options.explain):
        results["calls_5_percent_at_95"] = calls(frames, options.runs)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(frames, results["calls_5_percent_at_95"])


if __name__ == "__main__":
    main()
