"""How often each promise holds, ours beside AIDB's formulas, and how many oracle calls 5 % at 95 % takes.

    python bench/coverage.py            # short: 40 runs a cell, about half an hour
    python bench/coverage.py --long     # 400 runs a cell, or --runs N

Every cell is kept in out/ as it is done (``--fresh`` forgets them), so a run that was stopped goes on where it was.

AIDB's side is its published estimator re-implemented from its source (commit 7b9af68): a pilot of 1000, a normal-theory
sample size from it, and the Bennett interval its code computes. Only its statistics are compared, not its engine.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.special import lambertw
from scipy.stats import chi2, norm

import suffice
from suffice.answer.aggregate import PILOT_UNITS
from suffice.answer.rounds import next_count
from suffice.estimate.aim import Aim
from suffice.estimate.bounded_mean import BoundedMean
from suffice.estimate.interval import Interval
from suffice.estimate.lab import CoverageCell, coverage
from suffice.estimate.linear_totals import LinearTotals
from suffice.estimate.populations import PROXIES, Population, clustered, ordinary, people, rare, video, with_proxy
from suffice.estimate.quantity import BoundedRatio, BoundedTotal, Form, Share
from suffice.estimate.relative import best_point, is_within, relative_half_width

RESULTS = Path(__file__).parent / "results" / "coverage.json"
PICTURE = Path(__file__).parent.parent / "docs" / "images" / "coverage.jpg"


def betting(population: Population, rng: np.random.Generator, confidence: float, target: float) -> Interval:
    size, draws = population.values.size, rng.permutation(population.values)
    mean = BoundedMean(size, population.low, population.high, confidence, Aim(relative=target))
    while not is_within(interval := mean.interval(), target) and mean.n < size:
        mean.observe(draws[mean.n : mean.n + max(20, mean.n // 20)])
    return interval if mean.n < size else mean.interval()


def asked(totals: LinearTotals, bounded: BoundedTotal | BoundedRatio, pieces: np.ndarray, target: float) -> Interval:
    """Draws as statements do until the target is met; the interval at the end."""
    low, high, error = *bounded.bounds(), math.inf
    while error > target and not totals.complete:
        count = next_count(totals.n, error / target, totals.scores.size)
        units = totals.draw(count, bounded.family, bounded.focus)
        totals.observe(pieces[:, units])
        low, high = bounded.bounds()
        error = relative_half_width(low, high)
    seen = int(totals.seen.sum())
    return Interval(bounded.estimate(), low, high, 0.0, "betting", "finite-sample", (), seen, totals.scores.size)


def with_scores(population: Population, rng: np.random.Generator, confidence: float, target: float) -> Interval:
    """What a statement with a PROXY runs: the mean, as its total over the number of units."""
    scores = population.proxy if population.proxy.size else np.zeros(population.values.size)
    low, high = np.array([population.low]), np.array([population.high])
    ordered = population.name.startswith("video")
    totals = LinearTotals(low, high, scores, rng, Aim(relative=target), ordered=ordered)
    total = BoundedTotal(totals, Form(np.ones(1), population.low, population.high), 1 - confidence)
    return asked(totals, total, population.values[None], target).scaled(1 / scores.size)


def row_ratio(population: Population, rng: np.random.Generator, confidence: float, target: float) -> Interval:
    """What AVG over rows runs: a pilot, then the ratio of two totals."""
    pieces = np.stack([population.values, population.sizes])
    size, most = population.values.size, population.size_max
    pilot = rng.choice(size, PILOT_UNITS, replace=False)
    known = {"known": pilot, "known_values": pieces[:, pilot]}
    totals = LinearTotals(np.zeros(2), np.full(2, most), np.zeros(size), rng, Aim(relative=target), **known)
    top, bottom = Form(np.array([1.0, 0.0]), 0, most), Form(np.array([0.0, 1.0]), 0, most)
    guess = float(pieces[0, pilot].sum() / max(pieces[1, pilot].sum(), 1e-12))
    ratio = BoundedRatio(totals, Share(top, bottom, (0.0, 1.0), most), guess, target, 1 - confidence)
    return asked(totals, ratio, pieces, target)


def aidb_spread(x: np.ndarray, delta: float) -> float:
    return float(x.std(ddof=1) * math.sqrt(x.size - 1) / math.sqrt(chi2.ppf(delta / 2, x.size - 1)))


def aidb_bennett(x: np.ndarray, confidence: float) -> Interval:
    """The interval AIDB computes and drops: the variance stands where n times the variance is needed (facts S1)."""
    delta, a = 1 - confidence, float(np.abs(x).max())
    v, mean = aidb_spread(x, delta) ** 2, float(x.mean())
    if not v > 0:
        return point(mean, x.size)
    inner = (a * a * math.log(2 / delta) - v) / (math.e * v)
    half = (v / a) * (math.exp(float(np.real(lambertw(inner))) + 1) - 1) / x.size
    return Interval(mean, mean - half, mean + half, confidence, "aidb", "asymptotic", (), x.size, None)


def aidb_sum(population: Population, rng: np.random.Generator, confidence: float = 0.95) -> Interval:
    """AIDB's two-stage SUM to 10 %: size from a pilot of 1000 by the normal formula; the answer with its own bounds."""
    values, delta = population.values, 1 - confidence
    pilot = rng.permutation(values)[:1000]
    if not pilot.any():  # it divides by zero here; taken as a full scan, in its favour
        return point(float(values.mean()), values.size)
    spread, lower = aidb_spread(pilot, delta), max(aidb_bennett(pilot, confidence).low, 1e-12)
    n = max(100, math.ceil((norm.ppf(1 - delta / 2) * spread / (0.1 * lower)) ** 2))
    if n + pilot.size >= values.size:
        return point(float(values.mean()), values.size)
    return aidb_bennett(np.concatenate([pilot, rng.permutation(values)[:n]]), confidence)


def aidb_beside(population: Population, confidence: float, runs: int) -> dict[str, Any]:
    """AIDB on a cell of ours: how often its own interval holds, how often its answer is within 10 %, and its calls."""
    if population.values.size < 1000:
        return {"aidb": "refuses fewer than 1000 units"}
    seeds = [np.random.default_rng(child) for child in np.random.SeedSequence(2).spawn(runs)]
    found = [aidb_sum(population, rng, confidence) for rng in seeds]
    return {
        "aidb_interval_held": float(np.mean([contains(population, one) for one in found])),
        "aidb_within_target": float(np.mean([near(population.mean, one.estimate, 0.1) for one in found])),
        "aidb_mean_n": float(np.mean([one.n for one in found])),
    }


def aidb_avg(population: Population, rng: np.random.Generator) -> Interval:
    """AIDB's AVG, 5 % @ 95 %: each blob's mean repeated once an item, items taken as independent."""
    order, target = rng.permutation(population.values.size), 1.05**0.5 - 1
    rows = population.sizes[order[:1000]]
    items = np.repeat(population.values[order[:1000]] / np.maximum(rows, 1), rows.astype(int))
    lower, hit = max(aidb_bennett(items, 0.95).low, 1e-12), float((rows > 0).mean())
    n = (norm.ppf(0.975) * aidb_spread(items, 0.05) / (target * lower)) ** 2 / hit
    units = order[: 1000 + max(100, math.ceil(n))]
    return point(float(population.values[units].sum() / population.sizes[units].sum()), units.size)


def point(answer: float, n: int) -> Interval:
    return Interval(answer, answer, answer, 0.95, "aidb", "asymptotic", (), n, None)


def contains(population: Population, interval: Interval) -> bool:
    return interval.low - 1e-9 <= population.mean <= interval.high + 1e-9


def near(truth: float, point: float, target: float) -> bool:
    return abs(point - truth) <= target * abs(truth) + 1e-9


class Kept:
    """Cells by name in a file, each written as soon as it is known."""

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        path.parent.mkdir(exist_ok=True)
        self._cells = json.loads(path.read_text()) if path.exists() and not fresh else {}

    def get(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._cells:
            self._cells[name] = make()
            self._path.write_text(json.dumps(self._cells))
            print(name, self._cells[name], flush=True)
        return self._cells[name]


def shown(cell: CoverageCell) -> dict[str, object]:
    return {**asdict(cell), "passed": cell.passed}


def run_cells(runs: int, levels: list[float], kept: Kept) -> list[dict[str, object]]:
    bases = (rare(0.3, 3000), rare(0.01, 6000), people(0, 3000), video(0, 3000))
    scored = [with_proxy(base, kind) for base in bases for kind in PROXIES]
    cells = []
    for level, population in itertools.product(levels, [*ordinary(), *scored]):

        def make(level: float = level, population: Population = population) -> dict[str, object]:
            ask = functools.partial(with_scores, confidence=level, target=0.1)
            return shown(coverage(ask, population, runs, 1, held=contains, nominal=level, name="total"))

        ours = kept.get(f"total, {population.name}, {level}", make)
        cells.append({**ours, **aidb_beside(population, level, ours["runs"])})
    return cells


AUTO = {
    "auto, a good column and a useless one": "auto",
    "auto, useless columns": "auto",
    "auto, a rough model": "auto(rough(unit))",
    "nearest of a vector": "nearest(vector)",
}


def priced_units(base: Population, kinds: tuple[str, ...]) -> suffice.Connection:
    """Units with a column for each kind of proxy, a vector, and models of what they hold: one dear, one rough."""
    import pyarrow as pa

    con, size = suffice.connect(progress=False), base.values.size
    scores = {kind.replace("-", "_"): with_proxy(base, kind).proxy for kind in kinds}
    good = with_proxy(base, "good").proxy
    vectors = np.stack([good, np.random.default_rng(1).random(size)], axis=1).astype(np.float32)
    units = {"unit": np.arange(size), **scores, "vector": list(vectors)}
    con.duckdb.register("given", pa.table(units))
    con.sql("CREATE TABLE units AS SELECT * FROM given")

    @suffice.model(version="1", outputs={"v": "DOUBLE"}, price=1.0, ranges={"v": (base.low, base.high)})
    def held(unit: int) -> float:
        return float(base.values[unit])

    @suffice.model(version="1", outputs={"v": "DOUBLE"})
    def rough(unit: int) -> float:
        return float(good[unit])

    con.register("held", held)
    con.register("rough", rough)
    return con


def run_auto(runs: int, levels: list[float], kept: Kept) -> list[dict[str, object]]:
    """Whole statements that choose their proxy, or learn it from representatives."""
    cells = []
    for base, (name, proxy) in itertools.product((people(0, 1500), rare(0.05, 1500)), AUTO.items()):
        kinds = ("inverted", "random") if "good" in name else ("random", "over-confident", "constant")
        for level in levels:

            def make(
                base: Population = base, proxy: str = proxy, level: float = level, kinds: tuple[str, ...] = kinds
            ) -> dict[str, object]:
                statement = f"SELECT sum(held(unit)) AS n FROM units WITHIN 10% CONFIDENCE {level:.0%} PROXY {proxy}"
                return shown(priced_units(base, kinds).coverage(statement, runs=runs, seed=1))

            ours = kept.get(f"{name}, {base.name}, {level}", make)
            cells.append({**ours, "population": f"{base.name}, {name}"})
    return cells


def s1_poisson(runs: int) -> Iterator[CoverageCell]:
    """Facts S1: AIDB's interval against betting on the same Poisson(3) draws, clipped to 0..40."""
    for n in (1000, 5000, 20_000):
        label = Population(f"S1 Poisson(3), n={n}", np.zeros(1), 0, 40)

        def draws(g: np.random.Generator, n: int = n) -> np.ndarray:
            return g.poisson(3, n).clip(0, 40).astype(float)

        def ours(_: Population, g: np.random.Generator, n: int = n) -> Interval:
            mean = BoundedMean(None, 0, 40, 0.95, Aim(horizon=n))
            mean.observe(draws(g, n))
            return mean.interval()

        def theirs(_: Population, g: np.random.Generator, n: int = n) -> Interval:
            return aidb_bennett(draws(g, n), 0.95)

        for name, procedure in (("aidb", theirs), ("betting", ours)):
            yield coverage(procedure, label, runs, 3, held=lambda _, r: 3.0 in r, nominal=0.95, name=name)


def s2_skew(runs: int) -> Iterator[CoverageCell]:
    """Facts S2: SUM of ceil(log-normal) at a hit rate of 10 %, 10 % @ 95 %; `held` is "delivered within 10 %"."""
    for sigma in (1.5, 2.0):
        g = np.random.default_rng(0)
        values = np.ceil(g.lognormal(0, sigma, 300_000)) * (g.random(300_000) < 0.1)
        skew = Population(f"S2 log-normal sigma {sigma}, 10% of 300k", values, 0, float(values.max()))

        def held(p: Population, r: Interval) -> bool:
            return near(p.mean, best_point(r.low, r.high), 0.1)

        yield coverage(aidb_sum, skew, runs, 4, held=held, nominal=0.95, name="aidb")
        ours = functools.partial(betting, confidence=0.95, target=0.1)
        yield coverage(ours, skew, min(runs, 20), 4, held=held, nominal=0.95, name="betting")


def s3_clusters(runs: int) -> Iterator[CoverageCell]:
    """Facts S3 with rows bounded to [0, 1] and at most 60 rows a blob: AVG over rows, 5 % @ 95 %."""
    for sigma in (1.5, 2.0):
        blobs = replace(clustered(0, 20_000, sigma), name=f"S3 bounded clusters sigma {sigma}, 20k blobs")

        def held(p: Population, r: Interval) -> bool:
            return near(float(p.values.sum() / p.sizes.sum()), best_point(r.low, r.high), 0.05)

        yield coverage(aidb_avg, blobs, runs, 5, held=held, nominal=0.95, name="aidb")
        ours = functools.partial(row_ratio, confidence=0.95, target=0.05)
        yield coverage(ours, blobs, min(runs, 40), 5, held=held, nominal=0.95, name="ratio")


def calls_of(base: Population, runs: int) -> dict[str, object]:
    """Oracle calls for 5 % at 95 %, and their ratio to a z interval that was told the variance."""
    size = base.values.size
    plain = (1.959964 * base.values.std() / (0.05 * base.mean)) ** 2
    oracle = plain / (1 + plain / size)

    def mean_n(ask: Callable[..., Interval], population: Population) -> float:
        return float(np.mean([ask(population, np.random.default_rng(seed), 0.95, 0.05).n for seed in range(runs)]))

    used = {"uniform": mean_n(betting, base)}
    for kind in ("constant", "good", "medium", "random"):
        used[f"{kind} proxy"] = mean_n(with_scores, with_proxy(base, kind))
    ratio = {name: calls / oracle for name, calls in used.items()}
    return {"population": base.name, "oracle": oracle, "calls": used, "ratio": ratio}


def draw(cells: list[dict[str, Any]]) -> None:
    """For each confidence the share of runs in which intervals held: a dot a cell, ours beside AIDB's own."""
    levels, left, top, width, height = (0.8, 0.9, 0.95, 0.99), 60, 50, 900, 360
    image = Image.new("RGB", (left + width + 30, top + height + 60), "white")
    pen = ImageDraw.Draw(image)
    pen.text((left, 16), "How often intervals hold: a dot a cell of the coverage lab", fill="black", font_size=16)
    pen.text((left + 520, 18), "ours", fill="#1f6fb4", font_size=15)
    pen.text((left + 580, 18), "AIDB's formula on the same cells", fill="#c0392b", font_size=15)
    pen.rectangle((left, top, left + width, top + height), outline="#888888")
    for share in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        pen.text((14, top + height * (1 - share) - 8), f"{share:.0%}", fill="black", font_size=13)
    for place, level in enumerate(levels):
        start, mine = left + width * place / len(levels), [cell for cell in cells if cell["nominal"] == level]
        y = top + height * (1 - level)
        pen.line([(start + 8, y), (start + width / len(levels) - 8, y)], fill="#444444", width=2)
        pen.text((start + 80, top + height + 10), f"{level:.0%} promised", fill="black", font_size=14)
        for number, cell in enumerate(sorted(mine, key=lambda cell: str(cell["population"]))):
            x = start + 16 + (width / len(levels) - 32) * number / max(len(mine) - 1, 1)
            for name, colour in (("aidb_interval_held", "#c0392b"), ("observed", "#1f6fb4")):
                if name in cell:
                    at = top + height * (1 - cell[name])
                    pen.ellipse((x - 4, at - 4, x + 4, at + 4), fill=colour)
    image.save(PICTURE, quality=88)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--runs", type=int, help="of each cell")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument(
        "--only", choices=["cells", "auto", "aidb", "calls"], help="compute one part; the rest if it is kept"
    )
    options = parser.parse_args()
    mode, runs = ("long", 400) if options.long else ("short", 100)
    kept = Kept(Path(__file__).parent.parent / "out" / f"coverage-{mode}.json", options.fresh)
    bases = (rare(0.5, 100_000), rare(0.1, 100_000), rare(0.01, 100_000), rare(0.005, 100_000), people(0, 20_000))
    parts: dict[str, Callable[[], list[dict[str, object]]]] = {
        "cells": lambda: run_cells(options.runs or (runs if options.long else 40), [0.95, 0.99, 0.9, 0.8], kept),
        "auto": lambda: run_auto(options.runs or (runs if options.long else 40), [0.95, 0.8], kept),
        "aidb": lambda: [
            kept.get(name, lambda make=make: [shown(cell) for cell in make(runs)])
            for name, make in (("S1", s1_poisson), ("S2", s2_skew), ("S3", s3_clusters))
        ],
        "calls": lambda: [kept.get(f"calls, {b.name}", lambda b=b: calls_of(b, 16)) for b in bases],
    }
    if options.only:
        parts[options.only]()
        return
    result = {
        "mode": mode,
        "cells": [*parts["cells"](), *parts["auto"]()],
        "against_aidb": list(itertools.chain.from_iterable(parts["aidb"]())),
        "calls_5_percent_at_95": parts["calls"](),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    draw(result["cells"])
    if not all(cell["passed"] for cell in result["cells"]):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
