"""Aggregates over models with a target: every form is answered, holds what it promises, and says what it took."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from enough_town import town
from function_model import FunctionModel

import suffice
from suffice.answer.base_units import with_numbered_tables
from suffice.answer.check_units import agrees
from suffice.answer.thresholds import with_thresholds
from suffice.answer.unit_looks import unit_looks
from suffice.answer.unit_sample import UnitSample
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.sparse import plan_sparsely
from suffice.sql.statement import parse_one
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.unit_query import UnitQuery

FORMS = [
    "SELECT count(*) AS n FROM objects WHERE label = 'person'",
    "SELECT count(*) FROM frames_seen f, things(f.frame) o WHERE o.label = 'person' AND f.time_s < 12",
    "SELECT avg(score) AS s FROM objects",
    "SELECT sum(score) AS s, count(*) AS n, sum(score) / count(*) AS m FROM objects",
    "SELECT round(100 * avg(score), 1) - 3 AS s FROM objects",
    "SELECT count(*) FILTER (WHERE label = 'person') / count(*) AS share FROM objects",
    "SELECT part, count(*) AS n FROM objects GROUP BY part ORDER BY n DESC",
    "SELECT label, count(*) AS n, avg(score) AS s FROM objects GROUP BY label",
    "SELECT count(*) FROM frames_seen f WHERE (SELECT count(*) FROM things(f.frame) o WHERE label = 'person') >= 6",
    "SELECT count(*) AS n FROM (SELECT frame FROM objects WHERE label = 'person' GROUP BY frame HAVING count(*) >= 6)",
    "SELECT avg(n) AS n FROM (SELECT frame, count(*) AS n FROM objects GROUP BY frame) t",
    "SELECT count(label) / count(DISTINCT f.frame) AS n FROM frames_seen f LEFT JOIN things(f.frame) o ON score > 0.6",
    "SELECT sum(score) AS s FROM frames_seen f, things(f.frame) o"
    " LEFT JOIN (VALUES (0, 'a'), (1, NULL)) w(half, name) ON w.half = f.frame % 2 AND w.half > 0 WHERE name IS NULL",
    "SELECT count(*) AS n FROM frames_seen f WHERE mood(f.frame) = 'glad'",
    "SELECT sum(CASE WHEN label = 'car' THEN 2 ELSE 1 END) AS n FROM objects WHERE mood(frame) = 'glad'",
    "WITH o AS (SELECT * FROM objects) SELECT count(*) AS n FROM o WHERE score > 0.6",
    "SELECT count(DISTINCT frame) AS n FROM objects WHERE label = 'car'",
    "SELECT count(DISTINCT part) AS n, count(DISTINCT score > 0.7) FILTER (WHERE label = 'car') + 1 AS k FROM objects",
    "SELECT label, count(DISTINCT part) AS n FROM objects GROUP BY label",
    "SELECT max(score) AS most, min(score) FILTER (WHERE label = 'person') AS least FROM objects",
    "SELECT median(score) AS m, count(*) AS n FROM objects",
    "SELECT label, quantile_disc(score, 0.25) AS m, count(*) AS n FROM objects GROUP BY label",
    "SELECT quantile_cont(score, 0.9) - median(score) FILTER (WHERE score < 0.9) AS spread FROM objects",
    "SELECT percentile_cont(0.2) WITHIN GROUP (ORDER BY n) AS m FROM"
    " (SELECT frame, count(*) AS n FROM objects GROUP BY frame) t",
]


@pytest.mark.parametrize("statement", FORMS)
def test_units_add_up_to_the_statement(statement: str) -> None:
    """What all units contribute, put together, is DuckDB's own answer over them."""
    con, _ = town(60)
    con.sql("SELECT 1")  # takes in the view
    engine = con._engine
    bound = with_numbered_tables(engine, con._bind(parse_one(statement), Work()))
    plan = plan_sparsely(bound, engine.describe)
    query, _ = with_thresholds(engine, plan, unit_looks(engine, plan.bound), Target(), 1, Work())
    sample = UnitSample(engine, query, Work())
    assert agrees(engine, query, sample.ask(np.arange(sample.size)))
    assert agrees(engine, query, sample.ask(np.arange(0, sample.size, 3)))


MIXED = [
    ("SELECT count(*) FROM (SELECT label FROM objects LIMIT 10) t", "LIMIT"),
    ("SELECT count(*) FROM (SELECT DISTINCT label FROM objects) t", "DISTINCT"),
    ("SELECT count(*) FROM (SELECT label FROM objects GROUP BY label) t", "aggregate"),
    ("SELECT max(o.score) FROM frames_seen f, loose(f.frame) o", "max"),
    ("SELECT median(o.score) FROM frames_seen f, loose(f.frame) o", "how many rows"),
    ("SELECT median(o.score), avg(glance(f.frame)) FROM frames_seen f, things(f.frame) o", "beside a quantile"),
    ("SELECT count(DISTINCT label) FROM objects", "different values"),
    ("SELECT sum(count(*)) OVER () FROM objects GROUP BY label", "window|bound"),
    ("SELECT label, count(*) FROM objects GROUP BY label ORDER BY 2 LIMIT 1", "come first"),
    ("SELECT label, count(*) FROM objects GROUP BY ROLLUP (label)", "grouping sets"),
]


@pytest.mark.parametrize(("statement", "reason"), MIXED)
def test_what_has_no_bound_is_exact_and_says_why(statement: str, reason: str) -> None:
    con, _ = town(60)
    result = con.sql(f"{statement} WITHIN 10%", seed=1)
    assert Counter(result.fetchall()) == Counter(con.sql(statement).fetchall())
    assert result.guarantee is not None and result.guarantee.tier == "exact"
    assert re.search(reason, result.guarantee.method, re.IGNORECASE), result.guarantee.method


def test_within_is_met_and_counted() -> None:
    con, detector = town()
    result = con.sql("SELECT count(*) AS n FROM objects WHERE label = 'person' WITHIN 15% CONFIDENCE 90%", seed=5)
    guarantee, ((n,),) = result.guarantee, result.fetchall()
    ((low, high),) = guarantee.intervals["n"]
    truth = town()[0].sql("SELECT count(*) FROM objects WHERE label = 'person'").fetchone()[0]
    assert low <= truth <= high and abs(n - truth) <= 0.15 * truth and isinstance(n, int)
    assert n - low <= 0.15 * low and high - n <= 0.15 * high  # the promise, wherever in the interval the truth is
    assert guarantee.tier == "finite-sample" and guarantee.confidence == 0.9 and guarantee.seed == 5
    work = result.work.model_calls["things"]
    assert detector.paid == work.done == guarantee.sampled < 240 and work.skipped == 240 - work.done
    assert any("[0, 12]" in each for each in guarantee.assumptions)


def test_same_seed_same_answer_and_no_seed_says_which() -> None:
    question = "SELECT avg(score) AS s FROM objects WITHIN 8%"
    first, second = (town()[0].sql(question, seed=3) for _ in range(2))
    assert first.fetchall() == second.fetchall() and first.guarantee == second.guarantee
    assert town()[0].sql(question).guarantee.seed != town()[0].sql(question).guarantee.seed


def test_kept_units_are_a_certainty_stratum() -> None:
    """A cache of the fullest frames moves nothing: they count as what they are, and are not paid again."""
    con, detector = town()
    con.sql("SELECT count(*) FROM objects WHERE frame % 10 < 3")
    paid = detector.paid
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 10%", seed=2)
    ((low, high),) = result.guarantee.intervals["n"]
    truth = con.sql("SELECT count(*) FROM objects").fetchone()[0]
    assert low <= truth <= high
    assert result.guarantee.details["known_before"] == paid == result.work.model_calls["things"].cached
    assert result.work.model_calls["things"].done < 240 - paid


def test_when_all_is_kept_the_answer_is_exact_and_free() -> None:
    con, detector = town(120)
    exact = con.sql("SELECT count(*) AS n FROM objects").fetchall()
    paid = detector.paid
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 5%")
    assert (result.fetchall(), result.guarantee.tier, detector.paid) == (exact, "exact", paid)


def test_a_target_out_of_reach_is_a_full_scan() -> None:
    con, detector = town(80)
    result = con.sql("SELECT count(*) AS n FROM objects WHERE label = 'unicorn' WITHIN 5%", seed=1)
    assert result.fetchall() == [(0,)] and result.guarantee.tier == "exact" and detector.paid == 80
    work = result.work.model_calls["things"]
    assert (work.done, work.cached, work.skipped) == (80, 0, 0)


def test_a_budget_is_kept_and_buys_an_interval() -> None:
    con, detector = town()
    result = con.sql("SELECT label, count(*) AS n FROM objects GROUP BY label ORDER BY label BUDGET 60 CALLS", seed=4)
    assert detector.paid <= 60 and result.guarantee.target == {"budget_calls": 60}
    truth = dict(con.sql("SELECT label, count(*) FROM objects GROUP BY label").fetchall())
    for (label, _), (low, high) in zip(result.fetchall(), result.guarantee.intervals["n"], strict=True):
        assert low <= truth[label] <= high
    timed = town()[0].sql("SELECT count(*) AS n FROM objects BUDGET 0.2 SECONDS", seed=4)
    assert timed.guarantee.sampled <= 240


def test_a_chain_stays_within_its_budget_and_no_row_is_no_number() -> None:
    con, detector = town()
    chain = con.sql("SELECT count(*) AS n FROM objects WHERE mood(frame) = 'glad' BUDGET 60 CALLS", seed=1)
    assert sum(model.done for model in chain.work.model_calls.values()) <= 60 and detector.paid < 60
    nothing = town()[0].sql("SELECT avg(score) AS s FROM objects WHERE label = 'unicorn' BUDGET 40 CALLS", seed=1)
    assert nothing.fetchall() == [(None,)] and nothing.guarantee.as_json()["intervals"] == {"s": [[None, None]]}


def test_groups_of_a_model_without_ranges_are_never_lost() -> None:
    con, _ = town()
    result = con.sql(
        "SELECT label, count(*) AS n FROM frames_seen f, loose(f.frame) o GROUP BY label WITHIN 30%", seed=1
    )
    assert {label for label, _ in result.fetchall()} == {"person", "car"}


def test_having_keeps_the_groups_that_are_certain() -> None:
    con, _ = town()
    result = con.sql("SELECT label, count(*) AS n FROM objects GROUP BY label HAVING count(*) > 300 WITHIN 20%", seed=1)
    assert [label for label, _ in result.fetchall()] == ["person"]


def test_no_declared_range_is_labelled_asymptotic() -> None:
    con, _ = town()
    result = con.sql("SELECT avg(glance(frame)) AS n FROM frames_seen WITHIN 10%", seed=1)
    assert result.guarantee.tier == "asymptotic"
    assert any("no range is declared" in each for each in result.guarantee.assumptions)
    loose = con.sql("SELECT count(*) AS n FROM frames_seen f, loose(f.frame) o WITHIN 10%", seed=1)
    assert loose.guarantee.tier == "asymptotic"


def test_a_proxy_is_asked_of_all_and_is_no_part_of_the_budget() -> None:
    con, detector = town()
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 12% BUDGET 100 CALLS PROXY glance(frame)", seed=1)
    assert result.work.model_calls["glance"].done == 240 and detector.paid <= 100
    ((low, high),) = result.guarantee.intervals["n"]
    assert low <= con.sql("SELECT count(*) FROM objects").fetchone()[0] <= high


def test_quantiles_and_extremes_take_part_of_the_units() -> None:
    con, detector = town(600)
    result = con.sql("SELECT median(score) AS m, max(score) AS most FROM objects WITHIN 8% CONFIDENCE 90%", seed=1)
    ((m, most),), ends = result.fetchall(), result.guarantee.intervals
    exact = town(600)[0].sql("SELECT median(score), max(score) FROM objects").fetchone()
    for value, ((low, high),), truth in zip((m, most), (ends["m"], ends["most"]), exact, strict=True):
        assert low <= truth <= high and abs(value - truth) <= 0.08 * truth
    details = result.guarantee.details
    assert detector.paid == details["pilot"] + details["drawn"] == result.guarantee.sampled < 300
    nothing = "SELECT median(score) AS m, min(score) AS l FROM objects WHERE label = 'unicorn' BUDGET 60 CALLS"
    assert town()[0].sql(nothing, seed=1).fetchall() == [(None, None)]


def test_different_values_are_bounded_where_all_there_can_be_are_known() -> None:
    """Parts are a stored column: those that were seen are there, and there are no others than those stored."""
    question = "SELECT count(DISTINCT part) AS n FROM objects WHERE label = 'person'"
    con, detector = town(2400)
    assert con.sql(f"{question} WITHIN 5%", seed=1).guarantee.intervals["n"][0][1] == 30 and detector.paid < 400
    con, detector = town(2400)
    ((low, high),) = con.sql(f"{question} BUDGET 40 CALLS", seed=1).guarantee.intervals["n"]
    assert detector.paid <= 40 and 10 < low < high == 30
    con.register(
        "sign", FunctionModel("sign", lambda i: [(i % 3,)], ["INTEGER"], [("k", "INTEGER")], ranges={"k": (0, 4)})
    )
    ((low, high),) = con.sql(
        "SELECT count(DISTINCT sign(frame)) AS n FROM frames_seen BUDGET 40 CALLS"
    ).guarantee.intervals["n"]
    assert (low, high) == (3, 5)
    with pytest.raises(UsageError, match="GROUP BY counts each value"):
        con.sql("SELECT count(DISTINCT label) FROM objects BUDGET 40 CALLS")


def test_groups_that_may_be_missing_are_bounded() -> None:
    con, _ = town(600)
    result = con.sql("SELECT label, count(*) AS n FROM objects GROUP BY label BUDGET 300 CALLS", seed=4)
    most = result.guarantee.details["missed_group_units_max"]
    assert 0 < most < 40 and f"at most {most:,} of 600 units" in result.guarantee.details["groups"]
    loose = con.sql(
        "SELECT label, count(*) AS n FROM frames_seen f, loose(f.frame) o GROUP BY label BUDGET 80 CALLS", seed=1
    )
    assert "any number of others may be missing" in loose.guarantee.details["groups"]


def test_what_cannot_be_taken_apart_is_found_out_in_the_cold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A taking apart that forgets a predicate would be a wrong answer with a guarantee; here it is made to."""
    con, detector = town(120)
    monkeypatch.setattr(UnitQuery, "contributions_sql", without_predicates)
    result = con.sql("SELECT count(*) AS n FROM objects WHERE label = 'person' WITHIN 20%", seed=1)
    assert result.guarantee.tier == "exact" and "taken apart" in result.guarantee.method and detector.paid == 120
    assert result.fetchall() == town(120)[0].sql("SELECT count(*) FROM objects WHERE label = 'person'").fetchall()


def without_predicates(query: UnitQuery, table: str, whole=UnitQuery.contributions_sql) -> str:
    tree = query.tree.copy()
    tree.set("where", None)
    return whole(replace(query, tree=tree), table)


def test_answers_stream_and_shrink() -> None:
    con, _ = town()
    question = "SELECT count(*) AS n FROM objects WITHIN 12%"
    widths, last = [], None
    for partial in con.stream(question, seed=6):
        ((low, high),) = partial.guarantee.intervals["n"]
        widths.append(high - low)
        last = partial
    assert len(widths) > 2 and widths == sorted(widths, reverse=True)
    assert last.fetchall() == town()[0].sql(question, seed=6).fetchall()


def test_explain_predicts_before_anything_is_spent() -> None:
    con, detector = town()
    question = "SELECT count(*) AS n FROM objects WHERE label = 'person' WITHIN 10%"
    plan = con.explain(question)
    assert detector.paid == 0 and "COUNT(*) in [0, 12]" in plan and "24 to 240 of 240 units" in plan
    con.sql("SELECT count(*) FROM objects WHERE frame % 6 = 0")
    paid = detector.paid
    assert "played through on 40 known units" in con.explain(question) and detector.paid == paid
    assert "actual" in con.explain(question, analyze=True) and detector.paid > paid


WRONG = [
    ("SELECT frame FROM objects WITHIN 5%", "RECALL"),
    ("SELECT frame FROM objects BUDGET 100 CALLS", "SELECT count"),
    ("SELECT count(*) FROM objects RECALL 90%", "WITHIN e%"),
    ("SELECT count(*) FROM objects WITHIN 5% RECALL 90%", "one of the two"),
    ("SELECT count(*) FROM objects WITHIN 0%", "between 0 and 100"),
    ("SELECT count(*) FROM objects WITHIN 5% CONFIDENCE 100%", "between 0 and 100"),
    ("SELECT count(*) FROM objects BUDGET 3 CALLS", "at least 16"),
    ("SELECT count(*) FROM objects BUDGET 0 SECONDS", "more than 0"),
    ("SELECT count(*) FROM objects CONFIDENCE 95%", "add WITHIN"),
    ("SELECT max(o.score) FROM frames_seen f, loose(f.frame) o BUDGET 100 CALLS", "without BUDGET"),
    ("SELECT count(*) FROM objects WITHIN 5% PROXY no_such_thing(frame)", "no_such_thing"),
    ("SELECT count(*) FROM objects WITHIN 5% PROXY NULL", "leave it out"),
    ("SELECT count(*) FROM objects WITHIN 5% PROXY nearest(frame)", "lists of numbers"),
    ("SELECT count(*) FROM objects WITHIN 5% PROXY auto(mood(frame), nothing)", "nothing"),
    ("SELECT count(*) FROM objects BUDGET -4 CALLS", "more than 0"),
    ("SELECT count(*) FROM objects WITHIN 5", "WITHIN 5%"),
    ("SELECT count(*) FROM objects WITHIN 5% CONFIDENCE 95", "CONFIDENCE 95%"),
]


@pytest.mark.parametrize(("statement", "advice"), WRONG)
def test_what_cannot_be_asked_says_what_can(statement: str, advice: str) -> None:
    con, detector = town(60)
    with pytest.raises(suffice.errors.SufficeError, match=advice):
        con.sql(statement, seed=1)
    assert detector.paid == 0


def test_empty_media_and_nothing_left_by_a_predicate() -> None:
    con, detector = town(60)
    con.sql("CREATE TABLE nothing (frame INTEGER)")
    with pytest.raises(UsageError, match="has no rows"):
        con.sql("SELECT count(*) FROM nothing n, things(n.frame) o WITHIN 5%")
    result = con.sql("SELECT count(*) AS n FROM objects WHERE time_s < 0 WITHIN 5%")
    assert result.fetchall() == [(0,)] and result.guarantee.tier == "exact" and detector.paid == 0


def test_a_model_that_breaks_its_word_is_found_out() -> None:
    con, _ = town(60)
    liar = FunctionModel("liar", lambda i: [(float(i),)], ["INTEGER"], [("v", "DOUBLE")], ranges={"v": (0.0, 30.0)})
    con.register("liar", liar)
    with pytest.raises(suffice.errors.SufficeError, match="declared to lie in"):
        con.sql("SELECT avg(liar(frame)) FROM frames_seen WITHIN 5%", seed=1)


def test_no_bound_error_is_not_an_error_of_the_user() -> None:
    assert not issubclass(NoBoundError, suffice.errors.SufficeError)


def test_a_sample_that_ends_in_a_full_scan_counts_each_result_once() -> None:
    con, detector = town(240)
    con.sql("SELECT count(*) FROM objects WHERE frame < 40")
    result = con.sql("SELECT count(*) AS n FROM objects WITHIN 0.1%", seed=1)
    work = result.work.model_calls["things"]
    assert result.guarantee.tier == "exact" and (work.done, work.cached, work.skipped) == (200, 40, 0)
    assert detector.paid == 240
    again = con.sql("SELECT count(*) AS n FROM objects WITHIN 0.1%", seed=1).work.model_calls["things"]
    assert (again.done, again.cached) == (0, 240)


def test_what_a_budget_could_not_reach_is_not_called_within() -> None:
    con, _ = town(240)
    short = con.sql("SELECT count(*) AS n FROM objects WITHIN 1% BUDGET 40 CALLS", seed=1)
    assert str(short.guarantee).startswith("wider than 1% at 95%")
    partials = [
        str(partial.guarantee) for partial in con.stream("SELECT count(*) AS n FROM objects WITHIN 20%", seed=1)
    ]
    assert partials[0].startswith("wider than 20%") and partials[-1].startswith("within 20%")
    nothing = con.sql("SELECT avg(score) AS n FROM objects WHERE label = 'bus' BUDGET 60 CALLS", seed=1)
    assert nothing.fetchall() == [(None,)] and "n unknown: no row was met" in str(nothing.guarantee)


def test_a_proxy_that_is_none_is_named_and_an_empty_table_is_said() -> None:
    con, detector = town(240)
    with pytest.raises(UsageError, match=r"PROXY nothing_here: it is no number of each unit: .*nothing_here"):
        con.sql("SELECT count(*) AS n FROM objects WITHIN 5% PROXY nothing_here")
    con.sql("CREATE TABLE none AS SELECT i AS frame FROM range(0) r(i)")
    with pytest.raises(UsageError, match="the table has no rows"):
        con.sql("SELECT count(*) FROM none f, things(f.frame) WITHIN 5%")
    assert detector.paid == 0


def test_an_exact_answer_keeps_its_types_and_has_intervals_for_what_is_counted_only() -> None:
    statement = "SELECT frame % 2 AS half, sum(frame) AS s, avg(score) FILTER (WHERE label = 'none') AS a FROM objects"
    con, _ = town(40)
    result = con.sql(f"{statement} GROUP BY 1 ORDER BY 1 WITHIN 1%", seed=1)
    assert result.fetchall() == con.sql(f"{statement} GROUP BY 1 ORDER BY 1").fetchall()
    assert all(type(value) is int for row in result.fetchall() for value in row[:2])
    guarantee = result.guarantee
    assert guarantee is not None and guarantee.tier == "exact" and set(guarantee.intervals) == {"s", "a"}
    assert guarantee.intervals["s"] == [(float(row[1]),) * 2 for row in result.fetchall()]


def test_the_lab_counts_rows_of_exact_answers_as_kept() -> None:
    """Groups with numbers for names, and a value that is NULL in truth as in the answer."""
    con, _ = town(40)
    statement = "SELECT frame % 2 AS half, sum(score) AS s, avg(score) FILTER (WHERE label = 'none') AS a FROM objects"
    assert con.coverage(f"{statement} GROUP BY 1 WITHIN 1%", runs=3).observed == 1.0


def test_groups_that_no_unit_told_of_yet_are_drawn_for() -> None:
    """One unit in a hundred has a row at all: the pilot meets no group, and rounds go on without a bet."""
    con, _ = town(800)
    con.register(
        "rare",
        FunctionModel(
            "rare", lambda i: [("owl",)] * (i % 99 == 0), ["INTEGER"], [("bird", "VARCHAR")], "rows", rows_max=1
        ),
    )
    statement = "SELECT bird, count(*) AS n FROM frames_seen f, rare(f.frame) o GROUP BY bird"
    for seed in range(4):
        ((bird, n),) = con.sql(f"{statement} WITHIN 30% CONFIDENCE 80%", seed=seed).fetchall()
        assert bird == "owl" and abs(n - 9) <= 0.3 * 9
