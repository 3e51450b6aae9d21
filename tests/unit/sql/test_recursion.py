"""Models inside WITH RECURSIVE: the rows are those of DuckDB with the models written as SQL."""

from __future__ import annotations

import pytest
from arithmetic import arithmetic, both_ways
from test_outer_joins import as_sql

import suffice

STATEMENTS = [
    "WITH RECURSIVE r AS (SELECT 2 AS x UNION ALL SELECT x * 3 - 2 FROM r WHERE even(x) AND x < 99) SELECT * FROM r",
    "WITH RECURSIVE r(a) AS (SELECT 80 UNION ALL SELECT third(a) FROM r WHERE a > 0) SELECT a, even(a) FROM r",
    "WITH RECURSIVE r AS (SELECT id, x FROM t WHERE id < 3 UNION SELECT t.id, t.x FROM r, t"
    " WHERE near(r.x, t.x) AND t.id < 12) SELECT r.id, u.word FROM r JOIN u ON r.x = u.x",
    "WITH RECURSIVE d AS (SELECT id, x FROM t WHERE even(x)), r AS (SELECT 0 AS x UNION SELECT d.x FROM r, d"
    " WHERE d.x > r.x) SELECT count(*), max(x) FROM r",
    "WITH RECURSIVE r AS (SELECT 5 AS x, 0 AS n UNION ALL SELECT max(x) + sum(third(x)), max(n) + 1 FROM r"
    " WHERE n < 4 HAVING count(*) > 0) SELECT * FROM r",
    "WITH RECURSIVE r AS (SELECT 1::TINYINT AS x UNION SELECT third(x) + 7 FROM r) SELECT x, typeof(x) FROM r",
    "SELECT t.id FROM t WHERE t.x IN (WITH RECURSIVE r AS (SELECT 9 AS x UNION ALL SELECT third(x) FROM r WHERE x > 0)"
    " SELECT x FROM r)",
    "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 6), r AS (SELECT 6 AS x UNION ALL"
    " SELECT r.x - 1 FROM r WHERE even(r.x) OR r.x > (SELECT max(i) FROM n) / 2) SELECT * FROM r",
    "WITH RECURSIVE r AS (SELECT 20 AS x UNION ALL SELECT s.y FROM r, (WITH RECURSIVE s AS (SELECT 1 AS y UNION ALL"
    " SELECT y + 1 FROM s WHERE NOT near(y, 7)) SELECT y FROM s) s WHERE s.y = third(r.x)) SELECT * FROM r",
    "WITH v AS (SELECT id, x FROM t WHERE third(x) = 1), w AS (WITH RECURSIVE r AS (SELECT 3 AS x UNION SELECT v.x"
    " FROM r, v WHERE near(r.x, v.x)) SELECT * FROM r) SELECT w.x, count(*) FROM w JOIN v USING (x) GROUP BY ALL",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT a.x + b.x FROM r a, r b WHERE near(a.x, 1) OR b.x < 9)"
    " SELECT * FROM r LIMIT 20",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_rows_are_those_of_the_model_as_sql(statement: str) -> None:
    con = arithmetic()[0]
    expected = sorted(map(repr, con.duckdb.execute(as_sql(statement)).fetchall()))
    sparse, everything, *_ = both_ways(statement)
    assert sorted(map(repr, sparse)) == sorted(map(repr, everything)) == expected


def test_a_lateral_call_walks_a_graph() -> None:
    con, paid = arithmetic()
    walk = "WITH RECURSIVE r AS (SELECT 60 AS x UNION SELECT o.q FROM r, divisors(r.x) o WHERE o.d = 2) SELECT x FROM r"
    assert sorted(con.sql(walk).fetchall()) == [(15,), (30,), (60,)]
    assert paid["divisors"] == 3  # 60, 30 and 15: each step asks for its own rows only
    again = con.sql(walk)
    work = again.work.model_calls["divisors"]
    assert len(again) == 3 and (work.done, work.cached) == (0, 3)


def test_what_a_statement_leaves_behind_is_dropped_by_the_next() -> None:
    con, _ = arithmetic()
    con.sql(STATEMENTS[0])
    con.sql("SELECT even(2)")
    assert (
        con.duckdb.execute("SELECT * FROM duckdb_tables() WHERE table_name LIKE 'suffice_recursion%'").fetchall() == []
    )


def test_explain_says_that_its_models_run_between_the_steps() -> None:
    con, paid = arithmetic()
    plan = con.explain(STATEMENTS[1])
    assert "WITH RECURSIVE r: step by step" in plan and "third(a)" in plan and paid == {}
    assert "even(a): as many inputs as" in plan
    assert "even: 5 calls" in con.explain(STATEMENTS[1], analyze=True)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r WHERE even(x) LIMIT 3) FROM r", "LIMIT"),
        ("WITH RECURSIVE r AS (SELECT 1 AS x EXCEPT SELECT x + 1 FROM r WHERE even(x)) FROM r", "Circular reference"),
    ],
)
def test_what_is_refused_says_why(statement: str, words: str) -> None:
    with pytest.raises(suffice.SufficeError, match=words):
        arithmetic()[0].sql(statement)
