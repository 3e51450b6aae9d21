"""A sample answers the statement that was asked: with its tables, its columns and its session, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from math import isinf
from pathlib import Path
from typing import Any

import duckdb
import pytest
from tables_data import database

import suffice
from suffice.answer.allowed_rows import allowed_rows
from suffice.answer.audit import audit

Session = tuple[suffice.Connection, Callable[[str], Any]]

VIEWS = (
    "CREATE VIEW renamed(d, x) AS SELECT x, d * d FROM t",
    "CREATE VIEW replaced AS SELECT * REPLACE (x + 100 AS x) FROM t",
    "CREATE SCHEMA other",
    "CREATE TABLE other.t AS SELECT x * 3 AS x, d, k FROM main.t",
    "CREATE VIEW other.u AS SELECT x * 2 AS x FROM t",  # reads other.t
    "CREATE TABLE u AS SELECT x FROM t",
    "CREATE TABLE wrapped AS SELECT part, (x < 20 AND part = 5 OR x = 3 AND d = 3 AND part = 0)::INT::UINTEGER AS v "
    "FROM t",
)


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with database(tmp_path_factory.mktemp("meaning"), scrambled=False) as connection:
        for statement in VIEWS:
            connection.sql(statement)
        for table in ("t", "u", "wrapped"):
            connection.scramble(table)
        yield connection


MEANT = [
    "SELECT sum(d) AS s FROM t AS q(d, k, x, part)",
    "SELECT sum(x) AS s FROM renamed",
    "SELECT sum(x) AS s FROM replaced",
    "SELECT sum(x) AS s FROM (SELECT * REPLACE (x * 2 AS x) FROM t)",
    "SELECT sum(x) AS s FROM (SELECT * RENAME (d AS x, x AS d) FROM t)",
    "SELECT sum(x) AS s FROM (SELECT *, x * 2 AS x FROM t)",
    "SELECT sum(a) AS s FROM (SELECT d AS a, x * 10 AS a FROM t)",
    "SELECT sum(x) AS s FROM (SELECT * EXCLUDE (x), d * d AS x FROM t)",
    "SELECT k, sum(d) AS b FROM (SELECT k, d, 9 - k AS b FROM t WHERE k < 3 OR d < 50) "
    "GROUP BY k, b ORDER BY b DESC LIMIT 2",
    "SELECT sum(x) AS s FROM other.t",
    "SELECT sum(x) AS s FROM other.u",
    "SELECT sum(x) AS s FROM u",
    "SELECT count(*) AS n FROM t PIVOT (count(*) FOR part IN (1, 2))",
    "SELECT k, sum(x) + sum(d) FILTER (WHERE k <> 2) AS s FROM t GROUP BY k ORDER BY k",
    "SELECT k, count(*) AS n FROM t GROUP BY k HAVING sum(CASE WHEN k <> 2 THEN x END) < 1e12 ORDER BY k",
    "SELECT sum(10::BIGINT + -v) AS s FROM wrapped WHERE part < 5",
    "SELECT sum(NULL::DOUBLE) AS s, count(*) AS n FROM t WHERE d < 50",
]


@pytest.mark.parametrize("sql", MEANT)
def test_columns_and_tables_are_the_ones_meant(con: suffice.Connection, sql: str) -> None:
    require_truth(con, sql)


def require_truth(con: suffice.Connection, sql: str) -> suffice.Guarantee:
    result, exact = con.sql(f"{sql} WITHIN 10% CONFIDENCE 99.999%", seed=1), con.sql(sql)
    assert result.guarantee is not None
    for row, true_row in zip(result.fetchall(), exact.fetchall(), strict=True):
        for value, true_value in zip(row, true_row, strict=True):
            is_number = isinstance(true_value, (int, float, Decimal))
            assert float(value) == pytest.approx(float(true_value), 0.1) if is_number else value == true_value
    audit = con.audit(result)
    assert audit.held and not audit.rows_missing and not audit.rows_wrong
    return result.guarantee


SESSIONS = {
    "USE other": ("SELECT sum(x) AS s FROM t", "USE", "USE main"),
    "SET search_path = 'other,main'": ("SELECT sum(x) AS s FROM t", "search_path", "SET search_path = 'main'"),
    "CREATE TEMP TABLE t AS SELECT 1000 + d AS x FROM main.t": (
        "SELECT sum(x) AS s FROM t",
        "temporary",
        "DROP TABLE temp.t",
    ),
    "CREATE TEMP TABLE dim AS SELECT range AS d, 'n0' AS name FROM range(100)": (
        "SELECT sum(x) AS s FROM t WHERE d IN (SELECT d FROM dim WHERE name = 'n0')",
        "temporary",
        "DROP TABLE temp.dim",
    ),
    "CREATE TEMP VIEW dim AS SELECT range + 50 AS d, 'n' || range % 2 AS name FROM range(100)": (
        "SELECT name, count(*) AS n FROM t JOIN dim ON t.d = dim.d GROUP BY name ORDER BY name",
        "temporary",
        "DROP VIEW temp.dim",
    ),
    "SET integer_division = true": (
        "SELECT sum(d / 7) AS s, sum(d) / count(*) AS a FROM t",
        "integer_division",
        "SET integer_division = false",
    ),
    "SET ieee_floating_point_ops = false": (
        "SELECT count(d / k) AS n FROM t",
        "ieee_floating_point_ops",
        "SET ieee_floating_point_ops = true",
    ),
    "SET TimeZone = 'Asia/Tokyo'": ("SELECT sum(x) AS s FROM t WHERE d < 50", "TimeZone", "RESET TimeZone"),
}


@pytest.fixture(scope="module", params=["known", "lent"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A connection, and how statements are run: where DuckDB's own was handed out, on that."""
    with database(tmp_path_factory.mktemp("session")) as con:
        con.sql("CREATE SCHEMA other")
        con.sql("CREATE TABLE other.t AS SELECT x * 3 AS x, d, k FROM main.t")
        con.sql("CHECKPOINT")
        con.scramble("t")
        assert not con._database.is_lent
        yield con, con.sql if request.param == "known" else con.duckdb.execute


@pytest.mark.parametrize("setting", SESSIONS)
def test_what_a_session_has_changed_is_answered_in_the_session(session: Session, setting: str) -> None:
    con, run = session
    sql, reason, undo = SESSIONS[setting]
    assert require_truth(con, sql).tier == "finite-sample"  # what it gives is not taken for what comes next
    run(setting)
    guarantee = require_truth(con, sql)
    run(undo)
    assert guarantee.tier == "exact" and reason in guarantee.method
    assert require_truth(con, sql).tier == "finite-sample"


def test_what_another_connection_sets_for_all_is_seen(session: Session) -> None:
    (con, _), sql = session, "SELECT sum(d / 7) AS s FROM t"
    assert require_truth(con, sql).tier == "finite-sample"
    con.sql("SET integer_division = false")
    with duckdb.connect(con._database.file) as other:
        for value, tier in (("true", "exact"), ("false", "finite-sample")):
            other.execute(f"SET GLOBAL integer_division = {value}")
            assert require_truth(con, sql).tier == tier


def test_a_transaction_is_seen_when_it_begins_and_when_it_ends(session: Session) -> None:
    (con, run), sql = session, "SELECT sum(x) AS s FROM t WHERE d < 50 WITHIN 10%"
    for end in ("ROLLBACK", "COMMIT"):
        assert con.sql(sql, seed=1).guarantee.tier == "finite-sample"
        run("BEGIN")
        assert "transaction" in con.sql(sql, seed=1).guarantee.method
        run(end)
    assert con.sql(sql, seed=1).guarantee.tier == "finite-sample"


def test_what_explain_analyze_makes_is_seen(session: Session) -> None:
    (con, run), sql = session, "SELECT sum(x) AS s FROM t WHERE d < 50 WITHIN 10%"
    assert con.sql(sql, seed=1).guarantee.tier == "finite-sample"
    run("EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1000 + d AS x, d FROM main.t")
    guarantee = con.sql(sql, seed=1).guarantee
    run("DROP TABLE IF EXISTS temp.t")
    assert guarantee.tier == "exact"


def test_use_of_what_is_used_anyway_changes_nothing(con: suffice.Connection) -> None:
    con.sql("USE main")
    assert require_truth(con, "SELECT sum(x) AS s FROM t").tier == "finite-sample"


def test_attached_tables_may_change_unseen(con: suffice.Connection, tmp_path: Path) -> None:
    sql = "SELECT sum(w) AS s FROM t JOIN o.w ON t.d = w.d"
    con.sql(f"ATTACH '{tmp_path / 'other.duckdb'}' AS o")
    con.sql("CREATE TABLE o.w AS SELECT range AS d, range / 100 AS w FROM range(100)")
    require_truth(con, sql)
    con.sql("INSERT INTO o.w SELECT range % 100, 1000 FROM range(5000)")
    require_truth(con, sql)
    con.sql("DETACH o")


def test_a_subquery_of_now_is_asked_each_time(con: suffice.Connection) -> None:
    sql = "SELECT count(*) AS n FROM t WHERE epoch_us(now()) % 2 = 0 OR d * 10000 < (SELECT epoch_us(now()) % 1000000)"
    guarantee = con.sql(f"{sql} WITHIN 10%").guarantee
    assert guarantee is not None and guarantee.tier == "exact"
    sql = "SELECT count(*) AS n FROM t WHERE d * 10000 < (SELECT epoch_us(now()) % 1000000)"
    guarantee = con.sql(f"{sql} WITHIN 10%").guarantee
    assert guarantee is not None and "something else each time" in guarantee.method


@pytest.mark.parametrize(
    "source", ["t TABLESAMPLE 50%", "c TABLESAMPLE 50%", "(SELECT * FROM t) TABLESAMPLE 50%", "c USING SAMPLE 50%"]
)
def test_a_statement_that_samples_by_itself_is_run_as_it_is(con: suffice.Connection, source: str) -> None:
    result = con.sql(f"WITH c AS (SELECT * FROM t) SELECT sum(x) AS s FROM {source} WITHIN 5%", seed=1)
    assert result.guarantee is not None and result.guarantee.tier == "exact"
    ((whole,),) = con.sql("SELECT sum(x) AS s FROM t").fetchall()
    assert 0.4 < float(result.fetchall()[0][0]) / float(whole) < 0.6


@pytest.mark.parametrize("sampled", [True, False])
def test_an_audit_of_any_two_groups_knows_all_groups(con: suffice.Connection, sampled: bool) -> None:
    value = "sum(x)" if sampled else "max(x)"
    result = con.sql(f"SELECT k, {value} AS s FROM t GROUP BY k LIMIT 2 WITHIN 20%", seed=1)
    assert result.guarantee is not None and (result.guarantee.tier == "finite-sample") == sampled
    audit = con.audit(result)
    assert audit.held and not audit.rows_missing and len(audit.checked) == (2 if sampled else 0)


@pytest.mark.parametrize("by", ["", " GROUP BY k ORDER BY k"])
def test_a_budget_gives_no_number_for_what_may_be_null(con: suffice.Connection, by: str) -> None:
    sql = f"SELECT sum(d) FILTER (WHERE k > 9) AS s, sum(x) AS x FROM t{by}"
    result = con.sql(f"{sql} BUDGET 1 SECONDS", seed=1)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
    assert {row[0] for row in result.fetchall()} == {None} and None not in {row[1] for row in result.fetchall()}
    assert con.audit(result).held
    saved = [[None if isinf(end) else end for end in ends] for ends in result.guarantee.intervals["s"]]
    intervals = {"s": saved, "x": result.guarantee.intervals["x"]}
    assert audit(result.columns, result.fetchall(), intervals, con.sql(sql).fetchall()).held


def test_an_exact_answer_is_not_wrong_by_the_order_of_its_sums() -> None:
    columns, answered, again = ["k", "s"], [("a", 0.1 + 0.2 + 0.3)], [("a", 0.3 + 0.2 + 0.1)]
    assert answered != again and audit(columns, answered, {}, again).held
    assert not audit(columns, answered, {}, [("a", 0.6001)]).held


def test_a_macro_with_the_name_of_a_function_ends_sampling(tmp_path: Path) -> None:
    with database(tmp_path) as con:
        statement = "SELECT avg(x) AS a, count(*) AS n FROM t"
        assert con.sql(f"{statement} WITHIN 5%", seed=1).guarantee.tier == "finite-sample"
        con.sql("CREATE TEMP MACRO thrice(a) AS 3 * a")
        assert con.sql(f"{statement} WITHIN 6%", seed=1).guarantee.tier == "finite-sample"
        con.sql("CREATE MACRO avg(a) AS count(a) * 7")
        answer = con.sql(f"{statement} WITHIN 5%", seed=1)
        assert answer.guarantee.tier == "exact" and "avg is a macro" in str(answer.guarantee)
        assert answer.fetchall() == con.sql(statement).fetchall()

    with suffice.connect(tmp_path / "t.duckdb", progress=False) as again:
        again.sample_always = True
        assert again.sql(f"{statement} WITHIN 5%", seed=1).guarantee.tier == "exact"
        again.sql("DROP MACRO avg")
        assert again.sql(f"{statement} WITHIN 5%", seed=1).guarantee.tier == "finite-sample"


TIES = {
    "ORDER BY k DESC LIMIT 3": (4, 2),
    "ORDER BY 1 LIMIT 4": (4, 4),
    "ORDER BY k % 2, e LIMIT 1": (3, 0),
    "ORDER BY twice, e LIMIT 7": (7, 7),
    "ORDER BY count(*) > 0, twice LIMIT 5": (6, 4),
    "ORDER BY sum(x) DESC LIMIT 2": (2, 2),
    "LIMIT 2": (10, 0),
    "ORDER BY k LIMIT 99": (10, 10),
    "ORDER BY ALL LIMIT 3": (3, 3),
}


@pytest.mark.parametrize("end", TIES)
def test_rows_that_order_by_holds_for_equal_are_all_allowed(con: suffice.Connection, end: str) -> None:
    statement = f"SELECT k, d % 2 AS e, 2 * k AS twice, sum(x) AS s FROM t GROUP BY 1, 2, 3 {end}"
    allowed = allowed_rows(statement, con.sql)
    assert (len(allowed.rows), allowed.needed) == TIES[end]
    exact = con.sql(statement).fetchall()
    assert {len(row) for row in allowed.rows} == {4} and {*exact} <= {*map(tuple, allowed.rows)}

    def held(rows: Sequence[Sequence[Any]]) -> bool:
        return audit(["k", "e", "twice", "s"], rows, {}, allowed.rows, needed=allowed.needed).held

    assert held(exact) and held(allowed.rows[-len(exact) :])
    assert not held([*exact[1:], (77, 0, 154, 1)])
    assert con.audit(con.sql(f"{statement} WITHIN 20%", seed=4)).held


def test_an_audit_of_stars_takes_limit_as_it_stands(con: suffice.Connection) -> None:
    statement = "SELECT * FROM (SELECT k, d FROM t) GROUP BY ALL ORDER BY 2, 1 LIMIT 3"
    assert allowed_rows(statement, con.sql).rows == con.sql(statement).fetchall()
