"""A SUM of no rows is NULL, not 0, and a column that FROM names anew has the range of the one it stands for."""

from __future__ import annotations

import math

import pytest
from enough_town import town

GROUPS = "SELECT part, count(*) AS n FROM frames_seen f, things(f.frame) o GROUP BY part"
NO_CARS_LATE = "sum(score) FILTER (WHERE label = 'car' AND part < 2)"


@pytest.mark.parametrize(
    "having", [f"{NO_CARS_LATE} < 1000", f"NOT {NO_CARS_LATE} > 1000", f"{NO_CARS_LATE} / count(*) < 5"]
)
def test_having_leaves_out_a_group_whose_sum_is_null(having: str) -> None:
    con, _ = town(600)
    sql = f"{GROUPS} HAVING {having} ORDER BY part"
    answered = con.sql(f"{sql} WITHIN 30%", seed=1).fetchall()
    assert [part for part, _ in answered] == [part for part, _ in con.sql(sql).fetchall()] == [0, 1]


def test_a_budget_gives_no_number_for_what_may_be_null() -> None:
    con, _ = town(600)
    sql = "SELECT sum(score) FILTER (WHERE label = 'tram') AS trams, sum(score) AS s FROM objects"
    result = con.sql(f"{sql} BUDGET 60 CALLS", seed=1)
    ((trams, total),) = result.fetchall()
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
    assert trams is None and result.guarantee.intervals["trams"] == [(-math.inf, math.inf)]
    assert total > 0 and con.audit(result).held
    assert con.coverage(f"{sql} BUDGET 60 CALLS", runs=3).observed == 1.0  # nothing was claimed of it


def test_columns_named_anew_keep_their_ranges() -> None:
    con, _ = town(600)
    sql = "SELECT avg(label) AS a FROM frames_seen f, things(f.frame) AS o(score, label)"  # the names swapped
    result = con.sql(f"{sql} WITHIN 5%", seed=1)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
    assert con.audit(result).held
    sql = "SELECT avg(frame) AS a FROM frames_seen AS f(time_s, frame, part), things((10 * f.frame)::INT) o"
    result = con.sql(f"{sql} WITHIN 20%", seed=1)
    assert result.guarantee is not None and result.guarantee.tier != "finite-sample"  # whose range it is, nothing tells
    assert con.audit(result).held
