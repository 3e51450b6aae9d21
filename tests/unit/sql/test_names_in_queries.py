"""Aliases that other columns read, names that do not exist, and places where no model can stand."""

from __future__ import annotations

from pathlib import Path

import pytest
from arithmetic import arithmetic
from test_outer_joins import as_sql

import suffice


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT third(x) AS b, b + 1 AS c FROM t",
        "SELECT id, even(x) AS e, third(x) AS q, CASE WHEN e THEN q ELSE -q END AS s, s + q FROM t WHERE id < 9",
        "SELECT s.c FROM (SELECT third(x) AS b, b * 2 AS c FROM t WHERE tag = 'a') s WHERE s.c > 2",
        "SELECT third(x) AS id, id + 1 FROM t",  # a column of the table comes before an alias
        "SELECT o.d, third(o.d) AS q, third(q) AS p FROM t, (SELECT 40 + t.id AS d) o WHERE t.id < 5",
        "SELECT third(d) FROM (SELECT max(x) AS d FROM t)",
    ],
)
def test_rows_are_those_of_the_model_as_sql(statement: str) -> None:
    con, _ = arithmetic()
    expected = sorted(map(repr, con.duckdb.execute(as_sql(statement)).fetchall()))
    assert sorted(map(repr, con.sql(statement).fetchall())) == expected


def test_the_name_of_a_view_of_ours_is_taken() -> None:
    con, _ = arithmetic()
    con.sql("CREATE VIEW v AS SELECT third(x) AS q FROM t")
    with pytest.raises(suffice.UsageError, match="'v' exists already"):
        con.sql("CREATE VIEW v AS SELECT 1 AS q")
    con.sql("CREATE OR REPLACE VIEW v AS SELECT 1 AS q")
    assert con.sql("SELECT q FROM v").fetchall() == [(1,)]
    con.sql("DROP VIEW v")
    con.sql("CREATE VIEW v AS SELECT 2 AS q")
    assert con.sql("SELECT q FROM v").fetchall() == [(2,)]


def test_a_column_is_named_by_what_was_written() -> None:
    con, _ = arithmetic()
    assert con.sql("SELECT third(x) AS b, b + 1, third(b) FROM t").columns == ["b", "b + 1", "third(b)"]


def test_a_subquery_as_the_argument_of_a_call_in_from() -> None:
    con, _ = arithmetic()
    rows = con.sql("SELECT d.d FROM divisors((SELECT max(x) FROM t)) d WHERE d.d > 4 ORDER BY 1").fetchall()
    assert rows == [(6,), (12,)]
    assert con.sql("SELECT third((SELECT max(x) FROM t))").fetchall() == [(4,)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELECT third(idd) FROM t", "no column \"idd\" here (did you mean 'id'?)"),
        ("SELECT third(wrod) FROM t JOIN u USING (x)", "no column \"wrod\" here (did you mean 'word'?)"),
        ("SELECT third(frame_idx) FROM texts('{here}/*.py') f", 'no column "frame_idx" here'),
        ("SELECT third(text_indx) FROM texts('{here}/*.py') f", "(did you mean 'text_index' or 'text'?)"),
        ("SELECT list_transform([1, 2], lambda v: third(v))", "third() inside a list function: unnest the list"),
        ("SELECT [third(v) FOR v IN [1, 2]]", "third() inside a list function: unnest the list"),
        ("UPDATE t SET x = third(x)", "not in UPDATE"),
        ("SELECT o.dd FROM t, divisors(t.x) o", "no column \"dd\" here (did you mean 'd'"),
        ("SELECT third('abc')", "third('abc'): it takes (x0 BIGINT): Conversion Error: Could not convert string 'abc'"),
        ("SELECT classify(x) FROM t", "classify(x): image is an image"),
        ("SELECT classify([1, 2])", "not INTEGER[]"),
    ],
)
def test_one_line_that_names_it(statement: str, words: str) -> None:
    con, paid = arithmetic()
    with pytest.raises(suffice.SufficeError) as caught:
        con.sql(statement.replace("{here}", str(Path(__file__).parent)))
    assert words in str(caught.value) and "\n" not in str(caught.value) and "a0" not in str(caught.value)
    assert not paid
