"""What a reader sees of a statement: the names of its columns, and EXPLAIN as a statement."""

from __future__ import annotations

import pytest
from arithmetic import arithmetic


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT third(x), x FROM t", ["third(x)", "x"]),
        ("SELECT third(x) AS y, 1 + Third(x) FROM t", ["y", "1 + third(x)"]),
        ("SELECT * FROM (SELECT third(x) FROM t) s", ["third(x)"]),
        ("SELECT tag, sum(third(x)) FROM t GROUP BY tag", ["tag", "sum(third(x))"]),
    ],
)
def test_columns_are_named_as_written(sql: str, columns: list[str]) -> None:
    assert arithmetic()[0].sql(sql).columns == columns


@pytest.mark.parametrize("word", ["EXPLAIN", "explain", "EXPLAIN ANALYZE", "explain\n analyze"])
def test_explain_is_a_statement(word: str) -> None:
    con, paid = arithmetic()
    query = "SELECT count(*) FROM t WHERE id < 5 AND tag <> 'it''s' AND third(x) = 1"
    predicted = con.explain(query).splitlines()
    lines = [line for (line,) in con.sql(f"{word} {query}").fetchall()]
    assert lines[: len(predicted)] == predicted
    assert predicted[1].strip("├└─ ").startswith("third(x): 5 inputs, 0 cached, 5 calls")
    assert ("actual" in lines) == ("analyze" in word.lower())
    assert paid["third"] == (5 if "actual" in lines else 0)
