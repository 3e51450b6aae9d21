"""Rows with a promised recall or precision: who vouches for each, and what cannot be asked."""

from __future__ import annotations

import numpy as np
import pytest
from enough_town import people, town

from suffice.answer.audit import audit as compare
from suffice.answer.ranked_limit import ranked
from suffice.errors import UsageError

CROWDED = "FROM frames_seen f WHERE (SELECT count(*) FROM things(f.frame) o WHERE label = 'person') >= 6"


def crowded(size: int) -> set[int]:
    return {i for i in range(size) if sum(label == "person" for label, _ in people(i)) >= 6}


def test_recall_with_rows_that_need_no_model() -> None:
    con, detector = town(900)
    con.sql("SELECT count(*) FROM objects WHERE frame < 30")
    paid = detector.paid
    result = con.sql(
        f"SELECT f.frame {CROWDED} RECALL 85% CONFIDENCE 90% BUDGET 300 CALLS PROXY glance(f.frame)", seed=1
    )
    rows, truth = result.fetchall(), crowded(900)
    assert result.columns == ["frame", "vouched_by"]
    assert {who for _, who in rows} == {"oracle", "proxy", "cache"}
    assert len({frame for frame, _ in rows} & truth) >= 0.85 * len(truth)
    assert all(frame in truth for frame, who in rows if who != "proxy")
    assert all(frame < 30 for frame, who in rows if who == "cache")
    assert detector.paid - paid <= 300 and result.guarantee.intervals == {"recall": [(0.85, 1.0)]}
    assert result.guarantee.details["units"]["proxy"] == sum(who == "proxy" for _, who in rows)


def test_rows_made_by_models_are_all_vouched_by_the_oracle() -> None:
    con, detector = town(900)
    statement = (
        "SELECT frame, score FROM objects WHERE label = 'car' RECALL 80% PROXY (frame % 9 = 0)::INTEGER + frame / 1e4"
    )
    result = con.sql(statement, seed=2)
    rows = result.fetchall()
    assert {row[2] for row in rows} == {"oracle"} and all(row[0] % 9 == 0 for row in rows)
    assert len(rows) >= 80 and detector.paid < 900


def test_joint_targets_split_delta_openly() -> None:
    con, _ = town(900)
    result = con.sql(f"SELECT f.frame {CROWDED} RECALL 80% PRECISION 80% CONFIDENCE 80% PROXY glance(f.frame)", seed=3)
    rows, truth = {frame for frame, _ in result.fetchall()}, crowded(900)
    assert len(rows & truth) >= 0.8 * len(truth) and len(rows & truth) >= 0.8 * len(rows)
    assert result.guarantee.details["delta"]["promises"] == 2


def test_few_units_are_all_asked() -> None:
    con, _ = town(60)
    result = con.sql(f"SELECT f.frame {CROWDED} RECALL 80% PROXY glance(f.frame)", seed=3)
    assert {frame for frame, _ in result.fetchall()} == crowded(60) and result.guarantee.tier == "exact"


def test_limit_goes_by_the_proxy_and_its_rows_are_exact() -> None:
    con, detector = town(900)
    result = con.sql("SELECT frame FROM objects WHERE label = 'car' LIMIT 5 PROXY (frame % 9 = 0)::INTEGER", seed=1)
    assert len(result) == 5 and all(frame % 9 == 0 for (frame,) in result.fetchall())
    assert result.guarantee is None and detector.paid <= 32
    con, detector = town(900)
    lying = con.sql("SELECT frame FROM objects WHERE label = 'car' LIMIT 5 PROXY -(frame % 9 = 0)::INTEGER", seed=1)
    assert len(lying) == 5 and detector.paid < 500


def test_every_fifth_unit_is_a_random_one() -> None:
    order = ranked(np.arange(100.0), np.random.default_rng(0))
    assert sorted(order) == list(range(100)) and order[:4].tolist() == [99, 98, 97, 96]
    assert not np.array_equal(order, np.arange(100)[::-1])


WRONG = [
    ("SELECT frame, score FROM objects PRECISION 90% PROXY frame", "ask RECALL"),
    (f"SELECT f.frame {CROWDED} RECALL 90%", "add PROXY"),
    (f"SELECT f.frame {CROWDED} RECALL 90% BUDGET 5 CALLS PROXY f.frame", "at least 100"),
    ("SELECT DISTINCT label FROM objects RECALL 90% PROXY frame", "WITHIN e%"),
    ("SELECT frame FROM objects ORDER BY score LIMIT 3 PROXY frame", "without ORDER BY"),
    ("SELECT frame FROM objects PROXY frame", "LIMIT k"),
]


@pytest.mark.parametrize(("statement", "advice"), WRONG)
def test_what_cannot_be_selected_says_what_can(statement: str, advice: str) -> None:
    con, _ = town(300)
    with pytest.raises(UsageError, match=advice):
        con.sql(statement, seed=1)


def test_a_limit_over_a_table_stops_when_it_has_its_rows() -> None:
    """Without a PROXY the table is walked as it is stored, or in the order that the statement asks for."""
    con, detector = town(400)
    few = con.sql("SELECT frame FROM frames_seen f WHERE (SELECT count(*) FROM things(f.frame)) > 5 LIMIT 3")
    assert len(few.fetchall()) == 3 and detector.paid < 60
    copies = con.duckdb.sql("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'suffice_base%'").fetchall()
    assert not copies  # a view numbers the rows
    con, detector = town(400)
    last = con.sql("SELECT frame, label FROM objects WHERE label = 'car' ORDER BY frame DESC LIMIT 2 OFFSET 1")
    assert last.fetchall() == [(387, "car"), (378, "car")] and detector.paid < 60
    assert last.work.model_calls["things"].skipped == 400 - detector.paid
    con, detector = town(60)
    best = con.sql("SELECT frame, count(*) AS n FROM objects GROUP BY frame ORDER BY n DESC, frame LIMIT 1")
    assert len(best.fetchall()) == 1 and detector.paid == 60  # every count is needed


STREAMED = [
    "SELECT count(*) AS n FROM objects WITHIN 20%",
    "SELECT count(*) AS n FROM objects BUDGET 60 CALLS",
    "SELECT median(score) AS m FROM objects WITHIN 15%",
    "SELECT max(frame) FROM objects WITHIN 15%",
    "SELECT frame FROM frames_seen WHERE mood(frame) = 'glad' RECALL 80% BUDGET 120 CALLS PROXY frame",
    "SELECT frame FROM frames_seen WHERE mood(frame) = 'glad' LIMIT 2 PROXY frame",
    "SELECT count(*) AS n FROM frames_seen",
]


@pytest.mark.parametrize("statement", STREAMED)
def test_every_form_streams_and_ends_with_its_answer(statement: str) -> None:
    *_, last = town()[0].stream(statement, seed=3)
    assert sorted(last.fetchall()) == sorted(town()[0].sql(statement, seed=3).fetchall())


def test_a_budget_is_never_passed_in_silence() -> None:
    """Rows in doubt must all be asked: where the budget does not reach, that is said, and what was paid is kept."""
    con, detector = town(900)
    asked = f"SELECT f.frame {CROWDED} RECALL 85% PRECISION 85% PROXY (f.frame * 7919 % 101)"
    with pytest.raises(UsageError, match=r"BUDGET 120 CALLS: after \d+ calls, which are kept, \d+ units are in doubt"):
        con.sql(f"{asked} BUDGET 120 CALLS", seed=1)
    paid = detector.paid
    assert 0 < paid <= 120
    con.sql(asked, seed=1)
    assert detector.paid <= 900


@pytest.mark.parametrize("promise", ["RECALL 80%", "PRECISION 80%", "RECALL 80% PRECISION 80%"])
def test_an_audit_measures_what_was_promised(promise: str) -> None:
    con, _ = town(2400)
    sql = f"SELECT frame FROM frames_seen WHERE mood(frame) = 'sad' {promise} PROXY -(frame % 3)"
    result = con.sql(sql, seed=1)
    audit = con.audit(result)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
    assert {one.column for one in audit.checked} == set(result.guarantee.intervals) and audit.held
    shifted = [(frame + 1, who) for frame, who in result.fetchall()]
    wrong = compare(result.columns, shifted, {"recall": [(0.8, 1)]}, [(0,)])
    assert not wrong.held and wrong.checked[0].exact == 0


def test_a_share_of_all_rows_has_no_limit() -> None:
    con, _ = town()
    with pytest.raises(UsageError, match="LIMIT"):
        con.sql("SELECT frame FROM frames_seen WHERE mood(frame) = 'sad' LIMIT 5 RECALL 90% PROXY frame")
