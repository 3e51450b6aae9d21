"""``TRUTH table``: labels of people move the interval from what the model says to what is true."""

from __future__ import annotations

import numpy as np
import pytest
from function_model import FunctionModel

import suffice
from suffice.errors import SufficeError
from suffice.estimate.lab import tolerance
from suffice.sql.target import split_target

SIZE = 400


def true_count(i: int) -> int:
    return 3 + (i * 7) % 4


def found(i: int) -> int:
    """The model misses one thing in every second unit."""
    return true_count(i) - i % 2


def town(labelled: list[int]) -> tuple[suffice.Connection, FunctionModel]:
    con = suffice.connect(progress=False)
    model = FunctionModel(
        "things",
        lambda i: [("jar",)] * found(i),
        ["INTEGER"],
        [("label", "VARCHAR")],
        "rows",
        rows_max=6,
        batch_size=64,
    )
    con.register("things", model)
    con.sql(f"CREATE TABLE seen AS SELECT i AS shelf FROM range({SIZE}) r(i)")
    rows = ", ".join(f"({i}, {true_count(i)})" for i in labelled)
    con.sql(f"CREATE TABLE labels AS SELECT * FROM (VALUES {rows}) v(shelf, n)")
    return con, model


QUESTION = "SELECT count(*) AS n FROM seen s, things(s.shelf) t"
TRUE, MODEL = sum(map(true_count, range(SIZE))), sum(map(found, range(SIZE)))


def drawn(count: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).choice(SIZE, count, replace=False).tolist()


def test_the_interval_is_round_the_truth() -> None:
    con, _ = town(drawn(200, 1))
    plain = con.sql(f"{QUESTION} WITHIN 8%", seed=1).guarantee.intervals["n"][0]
    assert plain[0] <= MODEL <= plain[1] < TRUE
    result = con.sql(f"{QUESTION} WITHIN 15% TRUTH labels", seed=1)
    ((low, high),), guarantee = result.guarantee.intervals["n"], result.guarantee
    assert low <= TRUE <= high > plain[1] and guarantee.details["truth"] == {"table": "labels", "labelled": 200}
    assert any("random sample" in each for each in guarantee.assumptions) and guarantee.tier == "finite-sample"
    ((value,),) = result.fetchall()
    assert abs(value - TRUE) <= 0.15 * TRUE and abs(value - TRUE) < abs(value - MODEL)


def test_labels_are_asked_of_the_model_and_paid() -> None:
    con, model = town(drawn(60, 2))
    result = con.sql(f"{QUESTION} BUDGET 100 CALLS TRUTH labels", seed=1)
    assert 60 <= model.paid <= 100 and result.guarantee.sampled == model.paid
    ((low, high),) = result.guarantee.intervals["n"]
    assert low <= TRUE <= high


def test_it_holds_as_often_as_it_says() -> None:
    held, runs = 0, 6
    for seed in range(runs):
        con, _ = town(drawn(40, seed))
        ((low, high),) = con.sql(f"{QUESTION} BUDGET 120 CALLS TRUTH labels", seed=seed).guarantee.intervals["n"]
        held += low <= TRUE <= high
    ((low, high),) = con.sql(f"{QUESTION} BUDGET 400 CALLS CONFIDENCE 80% TRUTH labels", seed=1).guarantee.intervals[
        "n"
    ]
    assert high - low > 0  # the model has seen everything, and the labels still leave something open
    assert held / runs >= 0.95 - tolerance(0.95, runs)


@pytest.mark.coverage
@pytest.mark.parametrize("confidence", [80, 90, 95, 99])
@pytest.mark.parametrize("labels", [12, 50])
def test_truth_holds(labels: int, confidence: int) -> None:
    held, runs = 0, 200
    for seed in range(runs):
        con, _ = town(drawn(labels, 1000 + seed))
        target = f"BUDGET 80 CALLS CONFIDENCE {confidence}% TRUTH labels"
        ((low, high),) = con.sql(f"{QUESTION} {target}", seed=seed).guarantee.intervals["n"]
        held += low <= TRUE <= high
    assert held / runs >= confidence / 100 - tolerance(confidence / 100, runs)


WRONG = [
    (f"{QUESTION} WITHIN 1% TRUTH labels", "label more units"),
    (f"{QUESTION} WITHIN 5% TRUTH label", "no such table"),
    ("SELECT count(*) AS many FROM seen s, things(s.shelf) t WITHIN 5% TRUTH labels", "no a column 'many'|'many'"),
    ("SELECT label, count(*) AS n FROM seen s, things(s.shelf) t GROUP BY label WITHIN 5% TRUTH labels", "GROUP BY"),
    ("SELECT avg(length(label)) AS n FROM seen s, things(s.shelf) t WITHIN 5% TRUTH labels", "no part that one unit"),
    ("SELECT shelf FROM seen WHERE shelf > 1 TRUTH labels", "asks none|CONFIDENCE alone"),
    ("SELECT shelf FROM seen s, things(s.shelf) t RECALL 90% TRUTH labels", "is for aggregates"),
    ("SELECT mode(label) FROM seen s, things(s.shelf) t WITHIN 5% TRUTH labels", "say nothing of it"),
]


@pytest.mark.parametrize(("statement", "advice"), WRONG)
def test_what_labels_cannot_do_is_said(statement: str, advice: str) -> None:
    con, _ = town(drawn(20, 3))
    with pytest.raises(SufficeError, match=advice):
        con.sql(statement, seed=1)


def test_bad_labels_are_refused() -> None:
    con, _ = town(drawn(5, 3))
    with pytest.raises(SufficeError, match="at least 10"):
        con.sql(f"{QUESTION} WITHIN 20% TRUTH labels", seed=1)
    con.sql("INSERT INTO labels SELECT i, 99 FROM range(50, 70) r(i)")
    with pytest.raises(SufficeError, match="beyond the 6"):
        con.sql(f"{QUESTION} WITHIN 20% TRUTH labels", seed=1)
    con.sql("INSERT INTO labels VALUES (55, 1)")
    with pytest.raises(SufficeError, match="two labels"):
        con.sql(f"{QUESTION} WITHIN 20% TRUTH labels", seed=1)


def test_truth_stays_a_name_where_it_is_one() -> None:
    for sql in ("SELECT count(*) FROM truth t", "SELECT a FROM t ORDER BY truth desc", "SELECT 1 FROM a, truth b"):
        assert split_target(sql) == (sql, None)
    text, target = split_target("SELECT count(*) AS n FROM t WITHIN 5% TRUTH main.labels CONFIDENCE 90%")
    assert text == "SELECT count(*) AS n FROM t" and target.truth == "main.labels" and target.confidence == 0.9
