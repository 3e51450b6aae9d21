"""Models in the ON of RIGHT, FULL and ASOF joins: the rows are those of DuckDB with the models written as SQL."""

from __future__ import annotations

import re

import pytest
from arithmetic import arithmetic, both_ways

import suffice

AS_SQL = {"even": "({0} % 2 = 0)", "third": "({0} // 3)", "near": "(abs({0} - {1}) <= 1)"}
"""What the models compute, for DuckDB."""

STATEMENTS = [
    "SELECT t.id, u.word FROM t FULL JOIN u ON t.x = u.x AND even(t.x)",
    "SELECT t.id, u.word FROM t RIGHT JOIN u ON t.x = u.x AND even(t.x)",
    "SELECT t.id, u.word FROM t RIGHT JOIN u ON third(t.x) = u.x",
    "SELECT t.id, u.word FROM t FULL JOIN u ON third(t.x) = third(u.x) AND t.id < 9",
    "SELECT t.id, u.word FROM t FULL JOIN u ON even(u.x) AND t.id < 3",
    "SELECT * FROM t FULL JOIN u ON t.x = u.x AND even(t.x)",
    "SELECT t.*, u.* FROM t RIGHT JOIN u ON third(t.x) = u.x",
    "SELECT u.*, t.id FROM t RIGHT JOIN u ON third(t.x) = u.x WHERE u.x > 3",
    "SELECT t.id, u.word FROM t FULL JOIN u ON near(t.x, u.x)",
    "SELECT t.id, u.word FROM t RIGHT JOIN u ON near(t.x, u.x) AND t.id < u.x",
    "SELECT * FROM t FULL JOIN u ON near(t.x, u.x)",
    "SELECT t.*, u.word FROM t RIGHT JOIN u ON near(t.x, u.x)",
    "SELECT a.id, b.id FROM t a FULL JOIN t b ON near(a.x, b.x) AND a.id < b.id",
    "SELECT * FROM t a FULL JOIN t b ON near(a.x, b.id) AND a.tag = 'a'",
    "SELECT a.id, b.x, c.word FROM t a JOIN t b ON a.id = b.id + 1 FULL JOIN u c ON near(b.x, c.x) AND a.id < 9",
    "SELECT count(*), count(t.id), count(u.x) FROM t FULL JOIN u ON near(t.x, u.x) OR t.tag IS NULL",
    "SELECT t.tag, count(u.word) FROM t FULL JOIN u ON near(t.x, u.x) GROUP BY t.tag HAVING count(*) > 1",
    "WITH v AS (SELECT * FROM t WHERE id < 9) SELECT v.id, u.word FROM v FULL JOIN u ON near(v.x, u.x)",
    "SELECT id FROM t UNION ALL SELECT a.id FROM t a RIGHT JOIN u ON near(a.x, u.x) WHERE u.x < 4",
    "SELECT id FROM t WHERE x IN (SELECT u.x FROM t a RIGHT JOIN u ON near(a.x, u.x) AND a.id < 2)",
    "SELECT a.id, b.id FROM t a ASOF JOIN t b ON third(a.x) = b.x AND a.id >= b.id",
    "SELECT a.id, b.id FROM t a ASOF LEFT JOIN t b ON third(a.x) = third(b.x) AND a.id > b.id",
    "SELECT * FROM t a ASOF JOIN u ON even(a.x) = even(u.x) AND a.x >= u.x",
    "SELECT a.id, u.word FROM t a ASOF JOIN u ON near(a.x, u.x) AND a.x >= u.x",
    "SELECT * FROM t a ASOF LEFT JOIN u ON near(a.x, u.x) AND a.id > u.x",
    "SELECT a.*, u.word FROM t a ASOF JOIN u ON near(a.x, u.x) = (a.tag = 'a') AND u.x > a.x",
    "SELECT a.id, b.word, c.id FROM t a JOIN u b ON a.x = b.x ASOF LEFT JOIN t c ON near(b.x, c.x) AND c.id <= a.id",
    "SELECT t.id, u.word FROM t RIGHT JOIN u ON t.x = u.x AND even(third(t.x))",
    "SELECT t.id, u.word FROM t RIGHT JOIN u ON even(third(t.x)) AND t.x = u.x WHERE even(u.x)",
    "SELECT t.id, u.word, w.x FROM t RIGHT JOIN u ON near(t.x, u.x) LEFT JOIN u w ON w.x = t.x AND even(w.x)",
]


def as_sql(statement: str) -> str:
    """The statement with each model call as the expression it stands for, innermost first."""
    call = re.compile(rf"\b({'|'.join(AS_SQL)})\(([^()]*|[^()]*\([^()]*\)[^()]*)\)")
    while found := list(call.finditer(statement)):
        inner = found[-1]
        text = AS_SQL[inner[1]].format(*(argument.strip() for argument in inner[2].split(",")))
        statement = statement[: inner.start()] + text + statement[inner.end() :]
    return statement


@pytest.fixture(scope="module")
def con() -> suffice.Connection:
    return arithmetic()[0]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_rows_are_those_of_the_model_as_sql(statement: str, con: suffice.Connection) -> None:
    expected = sorted(map(repr, con.duckdb.execute(as_sql(statement)).fetchall()))
    sparse, everything, *_ = both_ways(statement)
    assert sorted(map(repr, sparse)) == expected
    assert sorted(map(repr, everything)) == expected
    assert con.sql(statement).columns == [name for name, *_ in con.duckdb.execute(as_sql(statement)).description]


def test_an_asof_join_that_duckdb_cannot_plan_with_the_model_as_sql(con: suffice.Connection) -> None:
    """DuckDB 1.5.5 has an internal error on two conditions beside the inequality: the nearest pairs are spelled out."""
    on = "near(a.x, b.x) AND third(a.x) = third(b.x) AND a.id < b.id"
    nearest = (
        f"SELECT a.id, b.id FROM t a, t b WHERE {on} QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.id) = 1"
    )
    expected = sorted(con.duckdb.execute(as_sql(nearest)).fetchall())
    assert expected and sorted(con.sql(f"SELECT a.id, b.id FROM t a ASOF JOIN t b ON {on}").fetchall()) == expected


@pytest.mark.parametrize(("side", "lonely"), [("RIGHT", False), ("FULL", True)])
def test_sides_of_asof_that_duckdb_has_no_join_for(side: str, lonely: bool, con: suffice.Connection) -> None:
    inner = con.sql("SELECT a.id, u.word FROM t a ASOF JOIN u ON near(a.x, u.x) AND a.id >= u.x AND u.x < 9").fetchall()
    rows = con.sql(
        f"SELECT a.id, u.word FROM t a ASOF {side} JOIN u ON near(a.x, u.x) AND a.id >= u.x AND u.x < 9"
    ).fetchall()
    left, right = {row[0] for row in inner}, {row[1] for row in inner}
    alone = [(None, word) for (word,) in con.sql("SELECT word FROM u").fetchall() if word not in right]
    alone += [(id, None) for (id,) in con.sql("SELECT id FROM t").fetchall() if lonely and id not in left]
    assert alone and sorted(map(repr, rows)) == sorted(map(repr, inner + alone))


def test_only_pairs_that_the_rest_of_the_condition_allows_are_paid() -> None:
    *_, paid, _ = both_ways("SELECT t.id FROM t FULL JOIN u ON near(t.x, u.x) AND t.id < 2")
    *_, everywhere, _ = both_ways("SELECT t.id FROM t FULL JOIN u ON near(t.x, u.x)")
    assert 0 < paid["near"] < everywhere["near"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT * FROM t FULL JOIN u ON even(x)", "needs the name of its relation"),
        ("SELECT * FROM t a ASOF JOIN u ON near(a.x, u.x)", "one inequality"),
        ("SELECT * FROM t LEFT JOIN u ON t.x = u.x FULL JOIN u w ON near(t.x, w.x)", "after another outer join"),
        ("SELECT * FROM t, divisors(t.x) o RIGHT JOIN u ON even(o.d)", "made row by row"),
        ("SELECT * FROM t, divisors(t.x) o RIGHT JOIN u ON near(o.d, u.x)", "made row by row"),
    ],
)
def test_what_is_refused_says_why(statement: str, words: str, con: suffice.Connection) -> None:
    with pytest.raises(suffice.UsageError, match=words):
        con.sql(statement)
