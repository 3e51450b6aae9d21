"""How often intervals over tables miss, at the confidence stated: five runs draw from a scramble, then it is a new one.

    python tables_coverage.py [--runs 1000] [--confidence 95] [--minutes 30]

Families are hostile columns (spikes, Pareto, sorted, clustered, NULLs, tiny groups, quantiles), TPC-H-like and SSB-like
tables, and many-to-many joins by keys; they are those of tests/statistical. A run that is stopped goes on where it was
when started again: what is counted is written to results/tables_coverage.json every few runs. A low confidence (60)
shows soon whether a promise is kept. About a CPU second a run of all families. Draws the plot of
docs/tables.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "statistical"))

from tables_cells import FAMILIES, ROWS, Counts, Family, cells, played  # noqa: E402

RESULTS = HERE / "results" / "tables_coverage.json"
EVERY = 20
DRAWS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--confidence", type=float, default=95.0)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after this long; start again to go on")
    asked = parser.parse_args()
    until = time.monotonic() + 60 * asked.minutes
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    runs = kept.setdefault(f"{asked.confidence:g}%", {})
    kept.update(rows=ROWS, error_percent={name: family.error for name, family in FAMILIES.items()})
    for name, family in FAMILIES.items():
        done = runs.setdefault(name, {"runs": 0, "cells": {}})
        if done["runs"] < asked.runs and time.monotonic() < until:
            play(family, done, asked.runs, f"WITHIN {family.error}% CONFIDENCE {asked.confidence:g}%", until, kept)
        show(name, done, 1 - asked.confidence / 100)
    plot(runs, 1 - asked.confidence / 100, HERE.parent / "docs" / "images" / "tables_coverage.jpg")


def play(family: Family, done: dict[str, Any], runs: int, ask: str, until: float, kept: dict[str, Any]) -> None:
    """Add runs to `done`, writing `kept` down now and then."""
    first, before = done["runs"], json.loads(json.dumps(done["cells"]))
    with tempfile.TemporaryDirectory() as folder, cells(Path(folder), family) as con:
        for number, counts in enumerate(played(con, family, range(first, runs), ask, DRAWS), start=first + 1):
            if number % EVERY == 0 or number == runs or time.monotonic() > until:
                done.update(runs=number, cells=added(before, counts))
                RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
            if time.monotonic() > until:
                return


def added(before: dict[str, Any], counts: Counts) -> dict[str, Any]:
    return {
        name: {
            "sampled": before.get(name, {}).get("sampled", 0) + counts.sampled[name],
            "missed": before.get(name, {}).get("missed", 0) + counts.missed[name],
        }
        for name in counts.runs
    }


def show(family: str, done: dict[str, Any], allowed: float) -> None:
    for name, one in done["cells"].items():
        rate = f"{one['missed'] / one['sampled']:.1%}" if one["sampled"] else "-"
        print(
            f"{family:8} {name:20} sampled {one['sampled']}/{done['runs']}  missed {rate}, stated at most {allowed:.0%}"
        )


def plot(runs: dict[str, Any], allowed: float, target: Path) -> None:
    """Share of sampled answers that missed, a bar a cell, beside what is stated; whiskers are exact 95% intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from scipy.stats import beta

    cells = {
        f"{family}: {name}": (one["missed"], one["sampled"])
        for family, done in runs.items()
        for name, one in done["cells"].items()
        if one["sampled"]
    }
    figure, axes = pyplot.subplots(figsize=(12, 3.8))
    rates = [100 * missed / sampled for missed, sampled in cells.values()]
    lows = [100 * beta.ppf(0.025, m, n - m + 1) if m else 0.0 for m, n in cells.values()]
    highs = [100 * beta.ppf(0.975, m + 1, n - m) if m < n else 100.0 for m, n in cells.values()]
    whiskers = [[r - a for r, a in zip(rates, lows, strict=True)], [b - r for r, b in zip(rates, highs, strict=True)]]
    axes.bar(list(cells), rates, yerr=whiskers, color="#3b6ea5", ecolor="#888888", capsize=2)
    axes.axhline(100 * allowed, color="#c0504d", label=f"stated: at most {allowed:.0%}")
    axes.set_ylim(0, 300 * allowed)
    axes.set_title("answers that missed, %")
    axes.tick_params(axis="x", rotation=80, labelsize=7)
    axes.legend()
    figure.tight_layout()
    figure.savefig(target, dpi=90)


if __name__ == "__main__":
    main()
