"""Promises over tables, kept over many scrambles of kind and hostile populations, at the confidence stated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tables_cells import FAMILIES, Counts, cells, played


def last(tmp_path: Path, family: str, runs: int, confidence: int) -> Counts:
    ask = f"WITHIN {FAMILIES[family].error}% CONFIDENCE {confidence}%"
    with cells(tmp_path, FAMILIES[family]) as con:
        *_, counts = played(con, FAMILIES[family], range(runs), ask)
    assert set(counts.runs.values()) == {runs}
    return counts


@pytest.mark.parametrize(("family", "runs"), [("hostile", 20), ("tpch", 8), ("ssb", 8), ("keys", 12), ("spread", 6)])
def test_answers_miss_no_more_often_than_stated(tmp_path: Path, family: str, runs: int) -> None:
    """At 60%, where a promise that is not kept shows soon: an honest 40% exceeds these 62% once in 50 cells."""
    counts = last(tmp_path, family, runs, 60)
    assert counts.sampled.total() > 0.7 * counts.runs.total(), counts.sampled
    for name, missed in counts.missed.items():
        assert missed <= 0.62 * runs, (name, counts.missed)
    assert counts.missed.total() <= 0.4 * counts.sampled.total()


@pytest.mark.coverage
@pytest.mark.parametrize("family", FAMILIES)
def test_a_thousand_runs_a_cell(tmp_path: Path, family: str) -> None:
    """95%: more than 69 misses of 1,000 would happen to an honest cell once in 400."""
    counts = last(tmp_path, family, 1000, 95)
    for name, missed in counts.missed.items():
        assert missed <= 0.05 * counts.sampled[name] + 20, (name, missed, counts.sampled[name])
