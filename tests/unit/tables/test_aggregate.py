"""WITHIN over stored tables: right types, the same answer on any number of threads, exact where no bound is known."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from suffice.answer.aggregate import answer_within
from suffice.answer.target import AggregateGuarantee, Target
from suffice.errors import UsageError
from suffice.tables.duckdb import DuckDBEngine, DuckDBTable
from suffice.tables.scramble import build_scramble, fresh_scramble

ROWS = 1_500_000


@pytest.fixture(scope="module")
def con() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE t AS SELECT (hash(range) % 1000)::DECIMAL(9, 2) AS x, (hash(range + 1) % 5)::INT AS k, "
        f"(hash(range + 3) % 100)::INT AS d, range // 100000 AS part FROM range({ROWS})"
    )
    connection.execute("CREATE TABLE dim AS SELECT range::INT AS d, 'n' || range % 2 AS name FROM range(100)")
    connection.execute("CREATE VIEW v AS SELECT x, x * 2 AS y, k AS kk, d FROM t WHERE k < 4")
    return connection


def ask(
    con: duckdb.DuckDBPyConnection, sql: str, error: float = 0.05, seed: int = 1
) -> tuple[pa.Table, AggregateGuarantee]:
    statement = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(statement, sqlglot.exp.Select)
    return answer_within(statement, Target(error, weakest_tier="asymptotic"), DuckDBEngine(con), seed)


SAMPLED = [
    "SELECT sum(x) AS s FROM t",
    "SELECT count(*), avg(x) AS a, sum(x) FILTER (WHERE k = 1) FROM t WHERE d < 50",
    "SELECT k, sum(x) AS s, count(*) AS n FROM t GROUP BY k ORDER BY k",
    "SELECT k AS key, 100 * sum(CASE WHEN d < 50 THEN x ELSE 0 END) / sum(x) AS share FROM t GROUP BY ALL ORDER BY key",
    "SELECT name, sum(x) AS s FROM t JOIN dim ON t.d = dim.d GROUP BY name ORDER BY 1",
    "SELECT name, count(*) AS n FROM t LEFT JOIN dim ON t.d = dim.d GROUP BY 1 ORDER BY 1",
    "SELECT kk, sum(y) AS s FROM v GROUP BY kk ORDER BY kk",
    "SELECT z, count(*) AS n FROM (SELECT k % 2 AS z FROM t WHERE d > 20) AS q GROUP BY z ORDER BY z",
    "SELECT stddev(x) AS s, var_pop(x) AS v FROM t",
    "SELECT k, sum(x) AS s FROM t WHERE d < 20 + 15 * k GROUP BY k HAVING count(*) > 100000 ORDER BY k",
    "SELECT k, sum(x) AS s FROM t WHERE d < 20 + 15 * k GROUP BY k ORDER BY s DESC LIMIT 2",
]


@pytest.mark.parametrize("sql", SAMPLED)
def test_a_sample_answers_within_the_error(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    result, guarantee = ask(con, sql, 0.2)
    exact = con.execute(sql).to_arrow_table()
    assert guarantee.tier != "exact", guarantee.method
    assert 0 < guarantee.sampled < guarantee.population
    assert guarantee.rows_read < guarantee.rows_total == ROWS
    assert result.schema == exact.schema
    assert result.num_rows == exact.num_rows
    for name in exact.column_names:
        mine, true = result[name].to_pylist(), exact[name].to_pylist()
        if name not in guarantee.intervals:
            assert mine == true
            continue
        for estimate, value, (low, high) in zip(mine, true, guarantee.intervals[name], strict=True):
            assert abs(float(estimate) - float(value)) <= 0.2 * abs(float(value))
            assert low <= float(value) <= high


EXACT = {
    "SELECT count(DISTINCT x) AS n FROM t": "DISTINCT",
    "SELECT max(x) FROM t": "MAX",
    "SELECT sum(x), min(x) FROM t": "MIN",
    "SELECT count(*) FROM t": "catalogue",
    "SELECT sum(x) OVER () FROM t LIMIT 1": "WINDOW",
    "SELECT sum(CASE WHEN random() < 2 THEN x END) FROM t": "RAND",
    "SELECT sum(x) - sum(x) FROM t": "more than",
    "SELECT sum(x) FROM t WHERE d = 5000": "more than",
    "SELECT part, sum(x) FROM t WHERE part = 3 GROUP BY part": "more than",
    "SELECT sum(x) FROM dim LEFT JOIN t ON t.d = dim.d": "too many to read whole",
    "SELECT sum(x) FROM t TABLESAMPLE SYSTEM (50 PERCENT) REPEATABLE (1)": "TABLESAMPLE",
    "SELECT k, sum(x) FROM t GROUP BY ROLLUP (k) ORDER BY k": "ROLLUP",
    "SELECT sum(x) FROM t WHERE d < (SELECT avg(d) FROM dim)": "subquery",
    "SELECT k, sum(x) AS s FROM t GROUP BY k ORDER BY s LIMIT 1": "ASC",
    "SELECT count(*) FROM dim WHERE d < 7": "small",
}


@pytest.mark.parametrize("sql", EXACT)
def test_what_has_no_bound_is_exact_and_says_why(con: duckdb.DuckDBPyConnection, sql: str) -> None:
    result, guarantee = ask(con, sql)
    assert guarantee.tier == "exact"
    assert EXACT[sql].lower() in guarantee.method.lower()
    if "TABLESAMPLE" not in sql:
        assert result.to_pylist() == con.execute(sql).to_arrow_table().to_pylist()


def test_a_seed_gives_one_answer_on_any_number_of_threads(con: duckdb.DuckDBPyConnection) -> None:
    answers = set()
    for threads in (1, 2, 4, 4):
        con.execute(f"SET threads = {threads}")
        answers.add(str(ask(con, SAMPLED[2], seed=9)[0].to_pylist()))
    assert len(answers) == 1
    assert str(ask(con, SAMPLED[2], seed=10)[0].to_pylist()) not in answers


def test_many_rows_a_join_can_make_are_counted(con: duckdb.DuckDBPyConnection) -> None:
    con.execute("CREATE OR REPLACE TABLE twins AS SELECT range % 100 AS d FROM range(5000)")
    _, guarantee = ask(con, "SELECT sum(x) AS s FROM t JOIN twins ON t.d = twins.d")
    assert guarantee.tier == "exact"  # fifty joined rows a row: beyond what one joined row shows


def test_uncommitted_rows_make_it_exact(con: duckdb.DuckDBPyConnection) -> None:
    con.begin()
    con.execute("INSERT INTO t SELECT 1000000, 1, 1, 1 FROM range(10)")
    result, guarantee = ask(con, "SELECT sum(x) AS s FROM t")
    assert "committed" in guarantee.method
    assert result["s"].to_pylist() == [con.execute("SELECT sum(x) FROM t").fetchall()[0][0]]
    con.rollback()


def test_deleted_rows_and_part_filled_row_groups_are_counted_right() -> None:
    con = duckdb.connect()
    con.execute("CREATE TABLE u (x INT)")
    for _ in range(6):
        con.execute("INSERT INTO u SELECT 1 + range % 3 FROM range(130001)")
    con.execute("INSERT INTO u SELECT 1 + range % 3 FROM range(700000)")
    con.execute("DELETE FROM u WHERE rowid % 7 = 0 OR rowid BETWEEN 200000 AND 300000")
    table = DuckDBTable(con, "u")
    everything = table.draw(1.0, 1, ["x"])
    assert len(everything.blocks) == table.blocks == len(set(everything.blocks.tolist()))
    assert everything.rows.sum() == table.rows
    assert everything.rows.max() <= table.rows_per_block_max
    # Each block is one vector: a draw takes it whole or not at all, so every drawn block has all of its rows.
    whole = dict(zip(everything.blocks.tolist(), everything.rows.tolist(), strict=True))
    drawn = table.draw(0.2, 5, ["x"])
    assert 0.1 * table.blocks < len(drawn.blocks) < 0.3 * table.blocks
    assert [whole[b] for b in drawn.blocks.tolist()] == drawn.rows.tolist()


def test_a_scramble_serves_only_while_its_table_is_unchanged(tmp_path: object) -> None:
    con = duckdb.connect(f"{tmp_path}/s.duckdb")
    con.execute(f"CREATE TABLE t AS SELECT (hash(range) % 1000)::INT AS x FROM range({ROWS // 3})")
    assert build_scramble(con, "t") == ROWS // 3
    result, guarantee = ask(con, "SELECT sum(x) AS s FROM t WHERE x > 100")
    assert guarantee.tier == "finite-sample"
    assert guarantee.rows_read < ROWS // 10
    assert float(result["s"].to_pylist()[0]) == pytest.approx(
        float(con.execute("SELECT sum(x) FROM t WHERE x > 100").fetchall()[0][0]), rel=0.05
    )
    con.execute("UPDATE t SET x = x + 1 WHERE x = 7")
    assert fresh_scramble(con, "t") is None
    con.execute("CHECKPOINT")
    assert fresh_scramble(con, "t") is None
    build_scramble(con, "t")
    assert fresh_scramble(con, "t") is not None
    con.execute("DELETE FROM t WHERE x = 9")
    assert fresh_scramble(con, "t") is None


def test_parquet_is_read_by_row_groups(con: duckdb.DuckDBPyConnection, tmp_path: object) -> None:
    path = f"{tmp_path}/t.parquet"
    con.execute(f"COPY t TO '{path}' (ROW_GROUP_SIZE 4096)")
    sql = f"SELECT k, sum(x) AS s FROM read_parquet('{path}') WHERE d < 50 GROUP BY k ORDER BY k"
    result, guarantee = ask(con, sql, 0.1)
    exact = con.execute(sql).to_arrow_table()
    assert guarantee.tier != "exact", guarantee.method
    assert guarantee.rows_read < ROWS // 2
    assert result.schema == exact.schema
    for mine, true in zip(result["s"].to_pylist(), exact["s"].to_pylist(), strict=True):
        assert float(mine) == pytest.approx(float(true), rel=0.1)


@pytest.mark.parametrize("error", [0.0, -0.1, 1.0, float("nan")])
def test_an_impossible_error_is_refused(error: float) -> None:
    with pytest.raises(UsageError, match="WITHIN"):
        Target(error)
