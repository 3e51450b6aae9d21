"""The guarantee of whole statements, through SQL: as often as it says, on hostile tables."""

from __future__ import annotations

import numpy as np
import pytest
from function_model import FunctionModel

import suffice
from suffice.estimate.lab import tolerance

SIZE = 300


def rows_of(kind: str) -> list[list[float]]:
    """The rows of each unit: values in [0, 1], at most 8 a unit."""
    rng = np.random.default_rng(7)
    sizes = {
        "clustered": np.clip(np.ceil(np.exp(1.2 * rng.normal(size=SIZE))), 0, 8).astype(int),
        "rare": (rng.random(SIZE) < 0.03).astype(int),
        "drifting": np.clip(np.round(4 + 3 * np.sin(np.arange(SIZE) / 40) + rng.normal(0, 0.5, SIZE)), 0, 8).astype(
            int
        ),
        "spikes": np.where(np.arange(SIZE) % 60 == 0, 8, 1),
    }[kind]
    return [list(np.clip(0.2 + 0.08 * size + 0.1 * rng.normal(size=size), 0, 1)) for size in sizes]


def connection(kind: str) -> suffice.Connection:
    rows, con = rows_of(kind), suffice.connect(progress=False)
    columns = [("v", "DOUBLE"), ("side", "VARCHAR")]
    con.register(
        "things",
        FunctionModel(
            "things", lambda i: [(v, "b" if v > 0.4 else "a") for v in rows[i]], ["INTEGER"], columns, "rows",
            batch_size=64, rows_max=8, ranges={"v": (0.0, 1.0)},
        ),
    )  # fmt: skip
    con.sql(f"CREATE TABLE units AS SELECT i AS unit, i // 100 AS part FROM range({SIZE}) r(i)")
    return con


QUESTIONS = {
    "count": "SELECT count(*) AS n FROM units u, things(u.unit) t",
    "mean": "SELECT avg(v) AS m FROM units u, things(u.unit) t",
    "two": "SELECT count(*) AS n, sum(v) / count(*) AS m FROM units u, things(u.unit) t",
    "known groups": "SELECT part, count(*) AS n FROM units u, things(u.unit) t GROUP BY part",
    "groups of the model": "SELECT side, count(*) AS n FROM units u, things(u.unit) t GROUP BY side",
}
PROXY = {"none": "", "inverted": " PROXY -(unit % 7)", "constant": " PROXY 1"}


def shown(con: suffice.Connection, question: str, target: str, runs: int) -> tuple[float, int]:
    cell = con.coverage(f"{question} {target}", runs=runs, seed=11)
    return cell.observed * cell.runs, cell.runs


@pytest.mark.parametrize("kind", ["clustered", "drifting"])
def test_statements_hold_as_often_as_they_say(kind: str) -> None:
    con, held, runs = connection(kind), 0.0, 0
    for question in QUESTIONS.values():
        part, count = shown(con, question, "WITHIN 30% CONFIDENCE 80%", 6)
        held, runs = held + part, runs + count
    assert held / runs >= 0.8 - tolerance(0.8, runs)


@pytest.mark.coverage
@pytest.mark.parametrize("kind", ["clustered", "rare", "drifting", "spikes"])
@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("proxy", PROXY)
@pytest.mark.parametrize("confidence", [80, 90, 95, 99])
def test_every_statement_holds(kind: str, question: str, proxy: str, confidence: int) -> None:
    con = connection(kind)
    target = f"WITHIN 20% CONFIDENCE {confidence}%{PROXY[proxy]}"
    cell = con.coverage(f"{QUESTIONS[question]} {target}", runs=20, seed=confidence)
    assert cell.passed, cell  # 20 runs a cell, 4,800 in all: the estimators below have hundreds a cell


def test_a_biased_cache_breaks_nothing() -> None:
    """The fullest units are known beforehand, as after a query for crowded ones."""
    held, runs = 0, 12
    rows = rows_of("clustered")
    truth = sum(map(len, rows))
    full = ", ".join(str(i) for i in np.argsort([-len(row) for row in rows])[:30])
    for seed in range(runs):
        con = connection("clustered")
        con.sql(f"SELECT count(*) FROM units u, things(u.unit) t WHERE unit IN ({full})")
        result = con.sql(f"{QUESTIONS['count']} WITHIN 25% CONFIDENCE 80%", seed=seed)
        ((low, high),) = result.guarantee.intervals["n"]
        assert result.guarantee.details["known_before"] == 30
        held += low <= truth <= high
    assert held / runs >= 0.8 - tolerance(0.8, runs)
