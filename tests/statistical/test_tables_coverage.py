"""Promises over tables, kept over many scrambles of kind and hostile populations, at the confidence stated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tables_cells import QUERIES, cells, misses


def test_answers_miss_no_more_often_than_stated(tmp_path: Path) -> None:
    """At 60%, where a promise that is not kept shows soon: an honest 40% exceeds 13 of 20 once in 50 cells."""
    with cells(tmp_path) as con:
        missed, runs, sampled = misses(con, range(20), "WITHIN 10% CONFIDENCE 60%")
    assert set(runs.values()) == {20}
    assert sum(sampled.values()) > 0.7 * sum(runs.values()), sampled
    for name in QUERIES:
        assert missed[name] <= 12, (name, missed)
    assert sum(missed.values()) <= 0.4 * sum(sampled.values())


@pytest.mark.coverage
def test_a_thousand_runs_a_cell(tmp_path: Path) -> None:
    """95%: more than 69 misses of 1,000 would happen to an honest cell once in 400."""
    with cells(tmp_path) as con:
        missed, _, sampled = misses(con, range(1000), "WITHIN 10% CONFIDENCE 95%")
    for name in QUERIES:
        assert missed[name] <= 0.05 * sampled[name] + 20, (name, missed[name], sampled[name])
