"""WITHIN over stored tables: right types, true intervals, one answer a seed, exact where no bound is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from tables_data import ROWS, database

import suffice
from suffice.errors import SufficeError, UsageError

SAMPLED = [
    "SELECT sum(x) AS s FROM t",
    "SELECT count(*), avg(x) AS a, sum(x) FILTER (WHERE k = 1) FROM t WHERE d < 50",
    "SELECT k, sum(x) AS s, count(*) AS n FROM t GROUP BY k ORDER BY k",
    "SELECT k AS key, 100 * sum(CASE WHEN d < 50 THEN x ELSE 0 END) / sum(x) AS share FROM t GROUP BY ALL ORDER BY key",
    "SELECT name, sum(x) AS s FROM t JOIN dim ON t.d = dim.d GROUP BY name ORDER BY 1",
    "SELECT name, count(*) AS n FROM t LEFT JOIN dim ON t.d = dim.d GROUP BY 1 ORDER BY 1",
    "SELECT kk, sum(y) AS s FROM v GROUP BY kk ORDER BY kk",
    "SELECT kk, avg(z) AS s FROM w GROUP BY kk ORDER BY kk",
    "WITH q AS (SELECT x, d FROM t WHERE k = 2) SELECT sum(x) AS s FROM q WHERE d > 10",
    "WITH a AS (SELECT * FROM t WHERE k > 0), b AS (SELECT x, d FROM a WHERE d < 60) SELECT sum(x) AS s FROM b",
    "SELECT m, count(*) AS n FROM (SELECT k % 2 AS m FROM t WHERE d > 20) AS q GROUP BY m ORDER BY m",
    "SELECT stddev(x) AS s, var_pop(x) AS v FROM t",
    "SELECT sum(x) - sum(d) AS difference, sum(x) * count(*) AS product FROM t",
    "SELECT k, sum(x) AS s FROM t WHERE d < 20 + 15 * k GROUP BY k HAVING count(*) > 50000 ORDER BY k",
    "SELECT k, sum(x) AS s FROM t WHERE d < 20 + 15 * k GROUP BY k ORDER BY s DESC LIMIT 2",
    "SELECT sum(x) AS s FROM t WHERE d < (SELECT avg(d) FROM dim)",
    "SELECT sum(x) AS s FROM t WHERE d IN (SELECT d FROM dim WHERE name = 'n1')",
    "SELECT k, count(*) AS n FROM t WHERE d NOT IN (SELECT d FROM dim WHERE d < 40) GROUP BY k ORDER BY k",
    "SELECT sum(x) AS s FROM t WHERE EXISTS (SELECT 1 FROM dim WHERE dim.d = t.d AND dim.name = 'n0')",
    "SELECT sum(x) AS s FROM t WHERE x > (SELECT avg(d) FROM dim WHERE dim.d <> t.d)",
    "SELECT sum(x) AS s FROM t o WHERE d < (SELECT max(d) FROM dim WHERE dim.d % 5 = o.k)",
    "SELECT median(x) AS m, quantile_disc(x, 0.9) AS q FROM t WHERE d < 50",
    "SELECT k, percentile_cont(0.25) WITHIN GROUP (ORDER BY x DESC) AS p FROM t GROUP BY 1 ORDER BY 1 DESC",
    "SELECT name, median(x) FILTER (WHERE k > 1) AS m FROM t JOIN dim ON t.d = dim.d GROUP BY name ORDER BY name",
]


@pytest.mark.parametrize("sql", SAMPLED)
def test_a_sample_answers_within_the_error(con: suffice.Connection, sql: str) -> None:
    result, exact = con.sql(sql + " WITHIN 20%", seed=1), con.sql(sql)
    guarantee = result.guarantee
    assert guarantee is not None and guarantee.tier == "finite-sample", str(guarantee)
    assert 0 < guarantee.sampled < guarantee.population == ROWS
    assert 0 < result.work.rows_read < ROWS / 2
    assert result.arrow().schema == exact.arrow().schema
    audit = con.audit(result)
    assert audit.held, audit
    assert len(audit.checked) == len(result) * len(guarantee.intervals) > 0
    assert not audit.rows_missing and not audit.rows_wrong


EXACT = {
    "SELECT count(DISTINCT x) AS n FROM t": "DISTINCT",
    "SELECT max(x) FROM t": "MAX",
    "SELECT median(x), count(*) FROM t": "beside a quantile",
    "SELECT quantile_cont(x, [0.1, 0.9]) FROM t": "one share",
    "SELECT median(x - 500) AS m FROM t": "more than",
    "SELECT k, median(x) AS m FROM t GROUP BY k ORDER BY median(x)": "ORDER BY a quantile",
    "SELECT median(DATE '2020-01-01' + d) FROM t": "TIMESTAMP has no relative error",
    "SELECT sum(x), min(x) FROM t": "MIN",
    "SELECT count(*) FROM t": "catalogue",
    "SELECT x FROM t WHERE k = 1 AND part = 0 AND d = 3 ORDER BY x": "no aggregate",
    "SELECT sum(x) OVER () FROM t LIMIT 1": "WINDOW",
    "SELECT sum(CASE WHEN random() < 2 THEN x END) FROM t": "RAND",
    "SELECT sum(x) - sum(x) FROM t": "more than",
    "SELECT sum(x) FROM t WHERE d = 5000": "more than",
    "SELECT sum(x) FROM dim LEFT JOIN t ON t.d = dim.d": "too many to read whole",
    "SELECT sum(a.x) FROM t a JOIN t b ON a.d = b.d AND a.part = b.part AND a.x = b.x AND a.k = b.k": "too many",
    "SELECT k, sum(x) FROM t GROUP BY ROLLUP (k) ORDER BY k": "ROLLUP",
    "SELECT k, sum(x) AS s FROM t GROUP BY k ORDER BY s LIMIT 1": "ASC",
    "SELECT count(*) FROM dim WHERE d < 7": "small",
    "SELECT sum(y) AS s FROM v WHERE d IN (SELECT d FROM dim)": "beside a view",
    "SELECT sum(x) FROM t WHERE d IN (SELECT d FROM dim ORDER BY d LIMIT 5)": "each time",
    "SELECT sum(x) FROM t WHERE d < (SELECT any_value(d) FROM dim WHERE dim.d <= t.d)": "order of rows",
    "SELECT sum(x) FROM t WHERE x > (SELECT avg(x) FROM t AS u WHERE u.d = t.d)": "too many to read whole",
    "SELECT sum(x) FROM t WHERE EXISTS (SELECT 1 FROM dim WHERE random() < 2 AND dim.d = t.d)": "each time",
    "SELECT corr(x, x) AS c FROM t WHERE d = 5000": "more than",
    'SELECT avg(x) AS "a b", sum(x) AS "a b" FROM t': "two columns are called 'a b'",
    "SELECT k AS m, median(x) AS m FROM t GROUP BY k ORDER BY k": "two columns are called 'm'",
    "SELECT sum(x) FROM t UNION SELECT sum(d) FROM dim": "UNION",
    "SELECT sum(d) FROM dim UNION ALL SELECT max(x) FROM t": "no SELECT of UNION ALL",
    "SELECT sum(x) FROM t UNION ALL SELECT sum(d) FROM dim ORDER BY 1": "ORDER BY",
    "SELECT part, x, count(*) FROM t GROUP BY part, x, d ORDER BY ALL": "groups",
}


@pytest.mark.parametrize("sql", EXACT)
def test_what_has_no_bound_is_exact_and_says_why(con: suffice.Connection, sql: str) -> None:
    result = con.sql(sql + " WITHIN 5% CONFIDENCE 95%", seed=1)
    assert result.guarantee is not None
    assert result.guarantee.tier == "exact"
    assert EXACT[sql].lower() in result.guarantee.method.lower()
    assert sorted(result.fetchall(), key=repr) == sorted(con.sql(sql).fetchall(), key=repr)  # a UNION has no order


def test_a_correlation_is_bounded_by_the_bounds_of_its_moments(tmp_path: Path) -> None:
    with suffice.connect(tmp_path / "c.duckdb", progress=False) as con:
        con.sample_always = True
        con.sql(
            "CREATE TABLE c AS SELECT u - 0.5 AS x, CASE WHEN range % 9 > 0 THEN u * 2 - 1"
            " + ((hash(range + 1) % 100)::INT - 50) / 80 END AS y"
            " FROM (SELECT range, hash(range) % 1000 / 1000 AS u FROM range(600000))"
        )
        con.scramble("c")
        result = con.sql("SELECT corr(x, y) AS r, covar_samp(y, x) AS c, stddev(x) AS s FROM c WITHIN 20%", seed=2)
        assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
        assert con.audit(result).held


def test_each_select_of_a_union_all_is_bounded(con: suffice.Connection) -> None:
    sql = (
        "SELECT 'all' AS what, sum(x) AS s FROM t UNION ALL SELECT name, sum(x) FROM t JOIN dim ON t.d = dim.d"
        " GROUP BY name UNION ALL SELECT 'few', max(d) FROM dim UNION ALL SELECT 'half', median(x) FROM t WHERE d < 50"
    )
    result, exact = con.sql(sql + " WITHIN 20%", seed=1), con.sql(sql)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
    assert result.arrow().schema == exact.arrow().schema
    assert (len(result), result.guarantee.confidence, result.guarantee.details["rows_exact"]) == (5, 0.95, 1)
    assert result.guarantee.intervals["s"][3] == (99.0, 99.0) and ("few", 99) in result.fetchall()
    audit = con.audit(result)
    assert audit.held and len(audit.checked) == 5
    twice = con.sql("SELECT sum(x) AS s FROM t UNION ALL SELECT sum(d) FROM t WITHIN 20%", seed=1)
    assert con.audit(twice).held and len(con.audit(twice).checked) == 2


def test_a_quoted_name_and_a_join_that_multiplies_rows(con: suffice.Connection) -> None:
    con.sql('CREATE OR REPLACE TABLE "odd ""name" AS SELECT range % 100 AS "a b" FROM range(300)')
    result = con.sql('SELECT sum(x) AS "s t" FROM t JOIN "odd ""name" o ON t.d = o."a b" WITHIN 10%', seed=2)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
    assert con.audit(result).held
    con.sql('DROP TABLE "odd ""name"')


def test_a_seed_gives_one_answer_on_any_number_of_threads(con: suffice.Connection) -> None:
    answers = set()
    for threads in (1, 2, 4, 4):
        con.duckdb.execute(f"SET threads = {threads}")
        result = con.sql(SAMPLED[1] + " WITHIN 5%", seed=9)
        assert result.guarantee is not None
        answers.add(str((result.fetchall(), result.guarantee.as_json())))
    con.duckdb.execute("SET threads = 2")
    assert len(answers) == 1
    assert str(con.sql(SAMPLED[1] + " WITHIN 5%", seed=10).fetchall()) not in answers.pop()


def test_a_stream_narrows_and_ends_as_sql_does(con: suffice.Connection) -> None:
    answers = list(con.stream("SELECT sum(x) AS s FROM t WHERE d < 30 WITHIN 1.6%", seed=6))
    widths = [r.guarantee.intervals["s"][0][1] - r.guarantee.intervals["s"][0][0] for r in answers if r.guarantee]
    assert len(widths) >= 3 and widths == sorted(widths, reverse=True)
    truth = float(con.sql("SELECT sum(x) FROM t WHERE d < 30").fetchall()[0][0])
    for one in answers:
        assert one.guarantee is not None
        low, high = one.guarantee.intervals["s"][0]
        assert low <= truth <= high
    last = answers[-1].guarantee
    assert last is not None and last.details["decided"] and not answers[0].guarantee.details["decided"]  # type: ignore[union-attr]


def test_a_look_on_the_way_says_where_having_went_by_estimates(con: suffice.Connection) -> None:
    sums = con.sql("SELECT k, sum(x) AS s FROM t GROUP BY k ORDER BY k").fetchall()
    statement = f"SELECT k, sum(x) AS s FROM t GROUP BY k HAVING sum(x) > {0.94 * float(sums[0][1])}"
    first, *_, last = con.stream(f"{statement} WITHIN 10%", seed=6)
    assert "HAVING or LIMIT went by estimates" in str(first.guarantee)
    assert "estimates" not in str(last.guarantee)
    assert sorted(k for k, _ in last.fetchall()) == [k for k, s in sums if s > 0.94 * float(sums[0][1])]


def test_a_stream_can_be_left(con: suffice.Connection) -> None:
    stream = con.stream("SELECT sum(x) AS s FROM t WHERE d < 30 WITHIN 1%", seed=4)
    first = next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert first.fetchall() and con.sql("SELECT 1").fetchall() == [(1,)]


def test_a_budget_buys_an_interval(con: suffice.Connection) -> None:
    result = con.sql("SELECT sum(x) AS s FROM t WHERE d < 30 BUDGET 0.5 SECONDS", seed=4)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
    assert con.audit(result).held
    low, high = result.guarantee.intervals["s"][0]
    assert high - low < 0.5 * high


REFUSED = {
    "SELECT sum(x) FROM t WITHIN 0%": "percentage",
    "SELECT sum(x) FROM t WITHIN 100%": "percentage",
    "SELECT sum(x) FROM t CONFIDENCE 95%": "WITHIN",
    "SELECT sum(x) FROM t RECALL 90%": "selections",
    "SELECT sum(x) FROM t BUDGET 10 CALLS": "SECONDS",
    "SELECT sum(x) FROM t BUDGET 0 SECONDS": "more than 0",
    "SELECT sum(x) FROM t WITHIN 5% CONFIDENCE 30%": "50%",
    "DROP TABLE t WITHIN 5%": "SELECT",
    "SELECT sum(nosuch) FROM t WITHIN 5%": "nosuch",
    "SELECT sum(x) FROM nosuch WITHIN 5%": "nosuch",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_cannot_be_asked_is_refused_in_one_line(con: suffice.Connection, sql: str) -> None:
    with pytest.raises(SufficeError, match=REFUSED[sql]) as refused:
        con.sql(sql)
    assert "\n" not in str(refused.value)


def test_inside_a_transaction_everything_is_exact(con: suffice.Connection) -> None:
    con.sql("BEGIN")
    con.sql("INSERT INTO t SELECT 1000000, 1, 1, 1 FROM range(10)")
    result = con.sql("SELECT sum(x) AS s FROM t WITHIN 5%")
    answered, truth = result.fetchall(), con.sql("SELECT sum(x) AS s FROM t").fetchall()
    con.sql("ROLLBACK")
    assert result.guarantee is not None and "transaction" in result.guarantee.method
    assert answered == truth


def test_a_scramble_serves_only_while_its_table_is_unchanged(tmp_path: Path) -> None:
    question = "SELECT sum(x) AS s FROM t WHERE d < 50 WITHIN 20%"
    with database(tmp_path) as con:
        for change in (
            "UPDATE t SET x = x + 1 WHERE x = 7",
            "DELETE FROM t WHERE x = 9",
            "INSERT INTO t SELECT 5, 1, 1, 1",
        ):
            fresh = con.sql(question, seed=1)
            assert fresh.guarantee is not None and fresh.guarantee.tier == "finite-sample", str(fresh.guarantee)
            con.sql(change)
            stale = con.sql(question, seed=1)
            assert stale.guarantee is not None and "written to" in stale.guarantee.method
            con.sql("CHECKPOINT")
            assert "written to" in str(con.sql(question, seed=1).guarantee)
            assert not con.scramble("t").was_fresh
            assert con.scramble("t").was_fresh
        rows = con.sql("SELECT count(*) FROM t").fetchall()
    with suffice.connect(tmp_path / "t.duckdb") as again:
        again.sample_always = True
        assert str(again.sql(question, seed=1).guarantee).startswith("within")
        assert again.sql('SELECT count(*) FROM suffice."scramble_t"').fetchall() == rows
        again.drop_scramble("t")
        with pytest.raises(SufficeError, match="no scramble"):
            again.drop_scramble("t")


def test_an_interrupted_scramble_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffice.tables import build_scramble

    with database(tmp_path, scrambled=False) as con:

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(build_scramble, "_catalogue", interrupted)
            with pytest.raises(KeyboardInterrupt):
                con.scramble("t")
        left = con.sql("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'scramble%'").fetchall()
        assert left == [(0,)]
        assert not con.scramble("t").was_fresh


def test_a_scramble_needs_a_place() -> None:
    with suffice.connect() as con, pytest.raises(UsageError, match="kept"):
        con.scramble("t")


def test_outliers_are_always_read(tmp_path: Path) -> None:
    with suffice.connect(tmp_path / "o.duckdb") as con:
        con.sample_always = True
        con.sql(
            "CREATE TABLE o AS SELECT CASE WHEN hash(range) % 3000 = 0 THEN 1000.0 ELSE 1 + hash(range) % 7 END AS x"
            " FROM range(300000)"
        )
        built = con.scramble("o")
        ((spikes,),) = con.sql("SELECT count(*) FROM o WHERE x = 1000").fetchall()
        assert built.known.certain == spikes > 50
        assert built.known.ranges["x"][1] < 8
        result = con.sql("SELECT sum(x) AS s, count(*) AS n FROM o WHERE x > 2 WITHIN 5%", seed=3)
        assert result.guarantee is not None and result.guarantee.sampled < 100_000
        assert con.audit(result).held


def test_vectors_of_a_table_without_a_scramble(tmp_path: Path) -> None:
    with suffice.connect(tmp_path / "v.duckdb") as con:
        con.sample_always = True
        con.sql("CREATE TABLE u (x INT)")
        for _ in range(3):
            con.sql("INSERT INTO u SELECT 1 + range % 3 FROM range(700001)")
        con.sql("DELETE FROM u WHERE rowid % 7 = 0 OR rowid BETWEEN 200000 AND 300000")
        result = con.sql("SELECT sum(x) AS s, count(*) FILTER (WHERE x > 1) AS n FROM u WITHIN 20%", seed=5)
        assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
        assert "vectors" in str(result.guarantee.details["drawn_from"])
        assert con.audit(result).held
        again = con.sql("SELECT sum(x) AS s, count(*) FILTER (WHERE x > 1) AS n FROM u WITHIN 20%", seed=5)
        assert again.fetchall() == result.fetchall()


def test_a_folder_of_parquet(tmp_path: Path) -> None:
    with suffice.connect() as maker:
        maker.sql(
            f"COPY (SELECT hash(range) % 10 AS k, (range % 1000)::INT AS x FROM range({ROWS})) "
            f"TO '{tmp_path}/p.parquet' (ROW_GROUP_SIZE 2048)"
        )
    with suffice.connect(tmp_path, progress=False) as con:
        con.sample_always = True
        plain = con.sql("SELECT sum(x) AS s FROM p WITHIN 20%", seed=1)
        assert plain.guarantee is not None and "row groups" in str(plain.guarantee.details.get("drawn_from")), str(
            plain.guarantee
        )
        assert con.audit(plain).held
        con.scramble("p")
        shuffled = con.sql("SELECT k, sum(x) AS s FROM p GROUP BY k ORDER BY k WITHIN 10%", seed=1)
        assert shuffled.guarantee is not None and "scramble" in str(shuffled.guarantee.details.get("drawn_from"))
        assert con.audit(shuffled).held


def test_explain_says_what_is_chosen(con: suffice.Connection) -> None:
    plan = con.explain("SELECT k, sum(x) FROM t WHERE d < 50 GROUP BY k WITHIN 5%", analyze=True)
    for words in ("rows of a scramble", "predicted:", "exact plan:", "MB", "actual: within 5% at 95%"):
        assert words in plan
    assert "exact: MAX" in con.explain("SELECT max(x) FROM t WITHIN 5%")
    assert con.sql("EXPLAIN SELECT sum(x) FROM t WITHIN 5%").columns == ["plan"]


def test_where_reading_everything_is_as_fast_it_is_read(con: suffice.Connection) -> None:
    con.sample_always = False
    try:
        result = con.sql("SELECT sum(x) AS s FROM t WITHIN 5%")
        budget = con.sql("SELECT sum(x) AS s FROM t BUDGET 60 SECONDS")
    finally:
        con.sample_always = True
    assert result.guarantee is not None and "ms of one core" in result.guarantee.method
    assert budget.guarantee is not None and budget.guarantee.tier == "exact"
    assert result.fetchall() == budget.fetchall() == con.sql("SELECT sum(x) AS s FROM t").fetchall()


def test_the_pace_of_the_machine_is_measured_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from suffice.tables import pace

    paces = []
    for _ in range(2):
        monkeypatch.setattr(pace, "_KNOWN", {})
        with suffice.connect(tmp_path / "p.duckdb", progress=False) as con:
            con.sql("CREATE TABLE IF NOT EXISTS p AS SELECT range AS x FROM range(1000)")
            con.sql("SELECT sum(x) AS s FROM p WITHIN 5%")
            paces += con.sql("SELECT value FROM suffice.meta WHERE name LIKE 'seconds per value%'").fetchall()
            assert list(pace._KNOWN.values()) == [float(paces[-1][0])]
        monkeypatch.setattr(pace, "_calibrate", lambda reader: pytest.fail("it was measured again"))
    assert len(paces) == 2 and paces[0] == paces[1] and 0 < float(paces[0][0]) < 1e-6


def test_a_select_without_a_table_is_exact(con: suffice.Connection) -> None:
    result = con.sql("SELECT count(*) AS n FROM (SELECT 1) WITHIN 5%")
    assert result.fetchall() == [(1,)] and result.guarantee is not None and result.guarantee.tier == "exact"
