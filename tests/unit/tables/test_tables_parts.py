"""Small parts of sampling: the run that grows, squares in their own type, centred spreads."""

from __future__ import annotations

from itertools import pairwise

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from suffice.sql.aggregate.centred import centred
from suffice.sql.aggregate.square_fits import square_fits
from suffice.tables.growing_run import GrowingRun, sizes_of
from suffice.tables.head import head_rows
from suffice.tables.source import ROWS_PER_GROUP


def test_a_run_grows_without_gaps_and_ends_where_a_group_does() -> None:
    run = GrowingRun(150, 1_000_000, 0.3, 3000, group=10_000)
    for seed in range(50):
        run.start(seed, ["a"])
        small, large = run.take([1000, 2000]), run.take([7000, 7000, 7000])
        assert small[0][1] % 10_000 == 0 and sizes_of(small) == [1000, 2000]
        assert large[0][1] == small[-1][2] and [end for _, _, end in large[:-1]] == [first for _, first, _ in large[1:]]
        assert large[-1][2] % 10_000 == 0 and 21_000 <= sum(sizes_of(large)) < 31_000
        assert small[0][1] >= 150 and run.take([300_000])[-1][2] <= 1_000_150


def test_a_run_in_a_table_of_few_groups_is_what_was_asked_for() -> None:
    run = GrowingRun(0, 100_000, 0.3, 3000, group=10_000)
    run.start(1, [])
    assert sizes_of(run.take([1000, 20_001])) == [1000, 20_001]


def test_a_run_takes_the_head_first_then_goes_on_where_the_seed_says() -> None:
    places = set()
    for seed in range(40):
        run = GrowingRun(150, 10_000_000, 0.3, 3000, group=10_000, head=40_000, head_group=2000)
        run.start(seed, [])
        drawn = [step for size in (2000, 5000, 50_000, 1_000_000) for step in run.take([size])]
        inside = [(a, b) for _, a, b in drawn if b <= 40_000]
        beyond = [(a, b) for _, a, b in drawn if a >= 40_000]
        assert len(inside) + len(beyond) == len(drawn) and sum(b - a for a, b in inside) == 40_000 - 150
        assert beyond[0][0] % 10_000 == 0 == beyond[-1][1] % 10_000
        assert all(end == start for (_, end), (start, _) in pairwise(beyond))
        places.add((inside[0][0], beyond[0][0]))
    assert len({inside for inside, _ in places}) > 10 and len({beyond for _, beyond in places}) > 30


@pytest.mark.parametrize("head", [0, 40_000])
def test_all_that_may_be_drawn_is_there_wherever_a_run_begins(head: int) -> None:
    for seed in range(200):
        run = GrowingRun(150, 1_000_000, 0.3, 3000, group=10_000, head=head, head_group=2000)
        run.start(seed, [])
        assert sum(sizes_of([*run.take([3000]), *run.take([297_000])])) >= 300_000


def test_units_of_a_part_in_several_stretches_are_added_up() -> None:
    assert sizes_of([(0, 10, 20), (1, 20, 25), (1, 0, 10), (2, 40, 50)]) == [10, 15, 10]


@pytest.mark.parametrize(("rows", "certain", "expected"), [(3_900_000, 0, 0), (60_000_000, 5, 5), (7_900_000, 0, 4)])
def test_how_much_of_a_table_is_its_head(rows: int, certain: int, expected: int) -> None:
    assert head_rows(rows, certain) == expected * ROWS_PER_GROUP


@pytest.mark.parametrize("kind", ["INTEGER", "BIGINT", "DECIMAL(15,2)", "DECIMAL(18,6)", "DECIMAL(9,4)"])
def test_a_square_that_fits_does_not_overflow(kind: str) -> None:
    size = max(s for s in (10.0**e * m for e in range(-3, 12) for m in (1, 2, 3, 5, 7)) if square_fits(kind, s))
    (found,) = duckdb.sql(f"SELECT (x * x)::DOUBLE FROM (SELECT {size:.3f}::{kind} AS x)").fetchone() or (None,)
    assert found == pytest.approx(size * size)
    assert not square_fits(kind, 1e12) and not square_fits("VARCHAR", 1.0) and not square_fits("DOUBLE", 1.0)


def test_centred_spreads_are_the_spreads() -> None:
    sql = (
        "SELECT var_pop(a) AS v, stddev(a * 2) AS s, corr(a, b) AS c, covar_samp(a, b) AS d, sum(a) AS t FROM"
        " (SELECT range % 91 + 1000 AS a, CASE WHEN range % 5 > 0 THEN range % 17 - 40 END AS b FROM range(9000))"
    )
    ranges = {"a": (1000.0, 1090.0), "b": (-40.0, -24.0)}
    written = centred(sqlglot.parse_one(sql, dialect="duckdb"), lambda c: ranges[c.name])  # type: ignore[arg-type]
    assert len([n for n in written.find_all(exp.Literal) if float(n.this) in (1040, 1050, 2090, 2080, 2100, 32)]) >= 4
    assert duckdb.sql(written.sql("duckdb")).fetchall()[0] == pytest.approx(duckdb.sql(sql).fetchall()[0], rel=1e-9)
