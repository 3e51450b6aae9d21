"""Joins that a model decides: pairs are units, a proxy blocks them, and the interval holds whatever it is."""

from __future__ import annotations

import pytest
from function_model import FunctionModel

import suffice

LEFT, RIGHT = 60, 50


def same(a: int, b: int) -> bool:
    return a % 25 == b % 25


@pytest.fixture
def con() -> suffice.Connection:
    con = suffice.connect(progress=False)
    model = FunctionModel(
        "same", lambda a, b: [(same(a, b),)], ["INTEGER", "INTEGER"], [("v", "BOOLEAN")], batch_size=64
    )
    con.register("same", model)
    con.sql(f"CREATE TABLE a AS SELECT i AS person, i % 25 AS hint FROM range({LEFT}) r(i)")
    con.sql(f"CREATE TABLE b AS SELECT i AS person, i % 25 AS hint FROM range({RIGHT}) r(i)")
    return con


def truth() -> int:
    return sum(same(a, b) for a in range(LEFT) for b in range(RIGHT))


def test_a_join_with_a_good_proxy_asks_few_pairs(con: suffice.Connection) -> None:
    question = (
        "SELECT count(*) AS n FROM a JOIN b ON same(a.person, b.person) WITHIN 20% PROXY (a.hint = b.hint)::INTEGER"
    )
    result = con.sql(question, seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    assert low <= truth() <= high and result.guarantee.population == LEFT * RIGHT
    assert result.work.model_calls["same"].done < 0.6 * LEFT * RIGHT


def test_a_lying_proxy_breaks_nothing(con: suffice.Connection) -> None:
    target = "BUDGET 900 CALLS PROXY -(a.hint = b.hint)::INTEGER"
    question = f"SELECT count(*) AS n FROM a, b WHERE same(a.person, b.person) {target}"
    result = con.sql(question, seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    assert low <= truth() <= high and result.work.model_calls["same"].done <= 900


def test_rows_of_a_join_with_recall(con: suffice.Connection) -> None:
    question = (
        "SELECT a.person AS one, b.person AS other FROM a JOIN b ON same(a.person, b.person)"
        " RECALL 80% CONFIDENCE 90% PROXY (a.hint = b.hint)::INTEGER"
    )
    result = con.sql(question, seed=1)
    assert result.columns == ["one", "other", "vouched_by"]
    right = sum(same(one, other) for one, other, _ in result.fetchall())
    assert right >= 0.8 * truth() and result.work.model_calls["same"].done < LEFT * RIGHT
