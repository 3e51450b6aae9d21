"""Other ways to ask tables within an error: DB-API, ibis, frames; and what an audit says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tables_data import database

import suffice
from suffice import dbapi
from suffice.answer.audit import audit
from suffice.errors import UsageError


def test_a_dbapi_cursor_asks_with_a_target(con: suffice.Connection) -> None:
    cursor = dbapi.Connection(con).cursor()
    cursor.execute(
        "SELECT k, sum(x) AS s, '?' AS q FROM t WHERE d < ? AND k < ? GROUP BY k ORDER BY k WITHIN 20%", [50, 2]
    )
    assert [column[0] for column in cursor.description or []] == ["k", "s", "q"]
    assert cursor.rowcount == 2 and cursor.guarantee is not None
    first = cursor.fetchone()
    assert first is not None and first[0] == 0 and first[2] == "?"
    assert [row[0] for row in cursor.fetchmany(5)] == [1] and cursor.fetchone() is None
    cursor.execute("SELECT ? AS name, ? AS nothing", ["it's", None])
    assert cursor.fetchall() == [("it's", None)]
    with pytest.raises(dbapi.ProgrammingError, match="1 parameters for 2"):
        cursor.execute("SELECT ?, ?", [1])


def test_dbapi_opens_a_target(tmp_path: Path) -> None:
    connection = dbapi.connect(str(tmp_path / "d.duckdb"))
    cursor = connection.cursor()
    cursor.executemany("SELECT ?", [[1], [2]])
    assert list(cursor) == [(2,)]
    connection.commit()
    connection.rollback()
    connection.close()


def test_a_dbapi_answer_comes_as_arrow_and_polars_reads_through_it(tmp_path: Path) -> None:
    import polars

    question = "SELECT range AS a, range / 2 AS b FROM range(3)"
    with dbapi.connect(str(tmp_path / "d.duckdb")) as connection:
        with connection.cursor() as cursor:
            with pytest.raises(dbapi.ProgrammingError, match="execute"):
                cursor.fetch_arrow_table()
            table = cursor.execute(question).fetch_arrow_table()
            assert table.to_pydict() == {"a": [0, 1, 2], "b": [0.0, 0.5, 1.0]}
            assert cursor.fetch_record_batch().read_all() == table
            assert cursor.fetch_df().equals(table.to_pandas())
        read = polars.read_database(question, connection)
        assert read.rows() == [(0, 0.0), (1, 0.5), (2, 1.0)]


def test_a_question_of_text_is_asked_within(con: suffice.Connection) -> None:
    result = con.ask("SELECT sum(x) AS s FROM t;").within(0.2, 0.9, seed=1)
    assert result.guarantee is not None and result.guarantee.confidence == 0.9
    assert result.guarantee.target == {"error_relative_max": 0.2}
    with pytest.raises(UsageError, match="shares"):
        con.ask("SELECT sum(x) AS s FROM t").within(5)


def test_frames_are_asked_within(con: suffice.Connection) -> None:
    import pandas
    import polars

    for frame in (pandas.DataFrame({"a": range(1000)}), polars.DataFrame({"a": range(1000)})):
        result = con.ask(frame).select("sum(a) AS s").within(0.05)
        assert result.fetchall() == [(499500,)]
        assert con.ask("SELECT max(a) FROM f", f=frame).exact().fetchall() == [(999,)]
    with pytest.raises(UsageError, match="select"):
        con.ask(pandas.DataFrame({"a": [1]})).within(0.05)
    with pytest.raises(UsageError, match="ibis"):
        con.ask(3)


def test_an_ibis_expression_is_asked_within(con: suffice.Connection) -> None:
    ibis = pytest.importorskip("ibis")
    table = ibis.table({"x": "float64", "k": "int32", "d": "int32"}, name="t")
    expression = table.filter(table.d < 50).group_by("k").agg(s=table.x.sum())
    result = con.ask(expression).within(0.2, 0.95, seed=1)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
    assert con.audit(result).held


def test_an_audit_finds_what_did_not_hold() -> None:
    intervals = {"s": [(1.0, 2.0), (5.0, 6.0)]}
    rows = [("a", 1.5), ("b", 5.5)]
    assert audit(["k", "s"], rows, intervals, [("a", 1.5), ("b", 5.6)], 0.05).held
    beyond = audit(["k", "s"], rows, intervals, [("a", 2.5), ("b", 5.6)])
    assert not beyond.held and [c.held for c in beyond.checked] == [False, True]
    assert not audit(["k", "s"], rows, intervals, [("a", 1.9), ("b", 5.5)], 0.05).held
    missing = audit(["k", "s"], rows[:1], {"s": [(1.0, 2.0)]}, [("a", 1.5), ("c", 9.0)])
    assert missing.held and missing.rows_missing == (("c",),)
    assert not audit(["k", "s"], rows, intervals, [("a", 1.5)]).held


def test_a_saved_answer_is_audited_from_the_command_line(tmp_path: Path) -> None:
    database(tmp_path, scrambled=False).close()
    target = str(tmp_path / "t.duckdb")
    answer = _run(
        "sql", "SELECT k, sum(x) AS s FROM t GROUP BY k ORDER BY k WITHIN 20%", "--db", target, "--sample", "--json"
    )
    assert set(answer) == {"columns", "rows", "guarantee", "work", "query"}
    assert set(answer["guarantee"]) >= {
        "target", "confidence", "tier", "method", "intervals", "sampled", "population", "seed", "assumptions"
    }  # fmt: skip
    saved = tmp_path / "answer.json"
    answer["guarantee"]["intervals"] = {"s": [[0.0, 1e12]] * len(answer["rows"])}
    saved.write_text(json.dumps(answer))
    assert _run("audit", str(saved), "--db", target, "--json")["held"] is True
    answer["guarantee"]["intervals"]["s"][0] = [0.0, 1.0]
    saved.write_text(json.dumps(answer))
    assert _run("audit", str(saved), "--db", target, "--json")["held"] is False


def test_a_copy_with_joined_columns_from_the_command_line(tmp_path: Path) -> None:
    target = str(tmp_path / "t.duckdb")
    with suffice.connect(target, progress=False) as con:
        con.sql("CREATE TABLE f AS SELECT range % 5 AS k, range % 7 AS v FROM range(200000)")
        con.sql("CREATE TABLE d AS SELECT range AS id, 'n' || range % 2 AS name FROM range(5)")
    built = _run("scramble", "f", "--join", "d(name) ON k = id", "--db", target, "--json")
    assert (built["rows"], built["was_fresh"]) == (200_000, False)
    assert _run("scramble", "f", "--db", target, "--json")["was_fresh"] is True
    asked = "SELECT name, sum(v) AS s FROM f JOIN d ON k = id GROUP BY name ORDER BY name WITHIN 10%"
    answer = _run("sql", asked, "--db", target, "--sample", "--seed", "1", "--json")
    assert answer["guarantee"]["tier"] == "finite-sample" and answer["work"]["rows_read"] < 100_000  # type: ignore[index]


def _run(*arguments: str) -> dict[str, object]:
    done = subprocess.run([sys.executable, "-m", "suffice", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    return found
