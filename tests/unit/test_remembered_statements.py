"""A statement asked again skips reading and planning, and only while all that it was made from stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pictures import Brightness, write_picture

import suffice


@pytest.fixture
def con(tmp_path: Path) -> suffice.Connection:
    for i in range(6):
        write_picture(tmp_path / "in" / f"{i}.png", 10 * i)
    con = suffice.connect(tmp_path / "x.suffice")
    con.register("brightness", Brightness())
    return con


def over(folder: Path) -> str:
    return f"SELECT sum(brightness(image)) FROM images('{folder}/in/*.png')"


def is_remembered(con: suffice.Connection, statement: str) -> bool:
    return statement in con._remembered._known


def ends_with(ending: str) -> Callable[[str], bool]:
    return lambda path: path.endswith(ending)


def warm(con: suffice.Connection, statement: str) -> suffice.Result:
    """Ask until the statement is remembered."""
    for _ in range(4):
        result = con.sql(statement)
    assert is_remembered(con, statement), statement
    return result


def test_the_answer_and_its_work_are_the_same_again(con: suffice.Connection, tmp_path: Path) -> None:
    statement = over(tmp_path) + " WHERE path LIKE '%3.png' OR path LIKE '%4.png'"
    cold = con.sql(statement)
    assert cold.work.model_calls["brightness"].done == 2 and not is_remembered(con, statement)
    again = warm(con, statement)
    assert again.fetchall() == cold.fetchall() == [(70,)] and again.columns == cold.columns
    work = again.work.model_calls["brightness"]
    assert (work.done, work.cached, work.skipped) == (0, 2, 4)
    assert "parse" not in again.work.seconds


def test_hits_are_booked_each_time(con: suffice.Connection, tmp_path: Path) -> None:
    warm(con, over(tmp_path))
    (before,) = (call["cached"] for call in con.store.summary()["calls"])
    con.sql(over(tmp_path))
    (after,) = (call["cached"] for call in con.store.summary()["calls"])
    assert after - before == 6


def test_files_are_looked_at_each_time(con: suffice.Connection, tmp_path: Path) -> None:
    warm(con, over(tmp_path))
    write_picture(tmp_path / "in" / "0.png", 7)
    assert con.sql(over(tmp_path)).fetchall() == [(157,)]
    warm(con, over(tmp_path))
    write_picture(tmp_path / "in" / "6.png", 3)
    assert con.sql(over(tmp_path)).fetchall() == [(160,)]
    warm(con, over(tmp_path))
    (tmp_path / "in" / "5.png").unlink()
    assert con.sql(over(tmp_path)).fetchall() == [(110,)]


def test_another_model_of_the_name(con: suffice.Connection, tmp_path: Path) -> None:
    warm(con, over(tmp_path))
    con.register("brightness", Brightness("2", 1.0))
    assert con.sql(over(tmp_path)).fetchall() == [(156,)]


def test_a_model_made_and_dropped(con: suffice.Connection, tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("def level(x: int) -> int:\n    return x\n")
    (tmp_path / "more.py").write_text("def level(x: int) -> int:\n    return x + 100\n")
    with suffice.connect(tmp_path / "y.suffice", roots=[tmp_path]) as own:
        own.sql(f"CREATE MODEL level USING 'python:{tmp_path}/code.py:level'")
        statement = f"SELECT sum(level(size_bytes)) FROM images('{tmp_path}/in/*.png')"
        ((total,),) = warm(own, statement).fetchall()
        own.sql(f"CREATE OR REPLACE MODEL level USING 'python:{tmp_path}/more.py:level'")
        assert own.sql(statement).fetchall() == [(total + 600,)]
        warm(own, statement)
        own.sql("DROP MODEL level")
        with pytest.raises(suffice.SufficeError, match="level"):
            own.sql(statement)


def test_dropped_results(con: suffice.Connection, tmp_path: Path) -> None:
    warm(con, over(tmp_path))
    assert con.store.drop(model="brightness") == 6
    again = con.sql(over(tmp_path))
    assert again.work.model_calls["brightness"].done == 6 and again.fetchall() == [(150,)]


def test_results_that_another_connection_drops(con: suffice.Connection, tmp_path: Path) -> None:
    con.sql(f"CREATE VIEW levels AS SELECT path, brightness(image) AS v FROM images('{tmp_path}/in/*.png')")
    statements = (over(tmp_path), "SELECT sum(v) FROM levels")
    for statement in statements:
        warm(con, statement)
    for statement in statements:
        with suffice.connect(tmp_path / "x.suffice") as other:
            assert other.store.drop(model="brightness") == 6
        again = con.sql(statement)
        assert again.work.model_calls["brightness"].done == 6 and again.fetchall() == [(150,)]


def test_a_view_that_another_connection_replaces(con: suffice.Connection, tmp_path: Path) -> None:
    body = f"SELECT brightness(image) AS v FROM images('{tmp_path}/in/*.png')"
    con.sql(f"CREATE VIEW levels AS {body}")
    warm(con, "SELECT sum(v) FROM levels")
    with suffice.connect(tmp_path / "x.suffice") as other:
        other.register("brightness", Brightness())
        other.sql(f"CREATE OR REPLACE VIEW levels AS {body.replace('bright', '-bright', 1)}")
    assert con.sql("SELECT sum(v) FROM levels").fetchall() == [(-150,)]
    con.sql("CREATE TABLE plain AS SELECT 1 AS v")
    con.sql("DROP VIEW levels")
    con.sql("CREATE VIEW levels AS SELECT v FROM plain")
    assert con.sql("SELECT sum(v) FROM levels").fetchall() == [(1,)]


def test_what_tables_of_the_user_decide_is_planned_each_time(con: suffice.Connection, tmp_path: Path) -> None:
    con.sql("CREATE TABLE wanted AS SELECT '%1.png' AS pattern")
    statement = f"{over(tmp_path)}, wanted w WHERE path LIKE w.pattern"
    for _ in range(3):
        assert con.sql(statement).fetchall() == [(10,)]
    con.sql("INSERT INTO wanted VALUES ('%2.png')")
    again = con.sql(statement)
    assert again.fetchall() == [(30,)] and again.work.model_calls["brightness"].done == 1


def test_a_table_of_the_user_beside_a_settled_view(con: suffice.Connection, tmp_path: Path) -> None:
    con.sql(f"CREATE VIEW levels AS SELECT path, brightness(image) AS v FROM images('{tmp_path}/in/*.png')")
    con.sql("CREATE TABLE bonus AS SELECT 10 AS v, 'a' AS name")
    statement = "SELECT b.*, count(*) AS n FROM levels l JOIN bonus b ON l.v = b.v GROUP BY ALL"
    con.sql("SELECT sum(v) FROM levels")
    assert warm(con, statement).fetchall() == [(10, "a", 1)]
    con.sql("INSERT INTO bonus VALUES (20, 'b')")
    assert len(con.sql(statement)) == 2
    con.sql("ALTER TABLE bonus ADD COLUMN more INTEGER")
    assert con.sql(statement).columns == ["v", "name", "more", "n"]


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("CREATE MACRO chosen(p) AS p LIKE '%1.png'", "CREATE OR REPLACE MACRO chosen(p) AS p LIKE '%2.png'"),
        ("CREATE MACRO contains(p, q) AS p LIKE '%1.png'", "CREATE OR REPLACE MACRO contains(p, q) AS p LIKE '%2.png'"),
        ("SET VARIABLE wanted = '%1.png'", "SET VARIABLE wanted = '%2.png'"),
    ],
)
def test_words_that_get_another_meaning(con: suffice.Connection, tmp_path: Path, first: str, then: str) -> None:
    condition = {"chosen": "chosen(path)", "contains": "contains(path, 'x')"}
    where = next((c for name, c in condition.items() if name in first), "path LIKE getvariable('wanted')")
    view = f"CREATE VIEW levels AS SELECT brightness(image) AS v FROM images('{tmp_path}/in/*.png') WHERE {where}"
    con.sql(first)
    con.sql(view)
    statements = (f"{over(tmp_path)} WHERE {where}", "SELECT sum(v) FROM levels")
    for statement in statements * 3:
        assert con.sql(statement).fetchall() == [(10,)]
    con.sql(then)
    for statement in statements:
        assert con.sql(statement).fetchall() == [(20,)]


def test_a_python_function_registered_anew(con: suffice.Connection, tmp_path: Path) -> None:
    statement = f"{over(tmp_path)} WHERE chosen(path)"
    for digit, expected in (("1", 10), ("2", 20)):
        if digit == "2":
            con.duckdb.remove_function("chosen")
        con.duckdb.create_function("chosen", ends_with(f"{digit}.png"), ["VARCHAR"], "BOOLEAN")
        for _ in range(3):
            assert con.sql(statement).fetchall() == [(expected,)]


def test_a_rollback_takes_temporary_tables_and_no_answer(con: suffice.Connection, tmp_path: Path) -> None:
    con.sql(f"CREATE VIEW levels AS SELECT path, brightness(image) AS v FROM images('{tmp_path}/in/*.png')")
    statement, more = "SELECT sum(v) FROM levels", f"SELECT count(*) FROM images('{tmp_path}/in/[12].png')"
    con.sql(statement)
    con.sql("BEGIN")
    for _ in range(3):
        assert con.sql(statement).fetchall() == [(150,)] and con.sql(more).fetchall() == [(2,)]
    (tmp_path / "in" / "5.png").unlink()
    (tmp_path / "in" / "1.png").unlink()
    assert con.sql(statement).fetchall() == [(90,)] and con.sql(more).fetchall() == [(1,)]
    con.sql("ROLLBACK")
    assert con.sql(statement).fetchall() == [(90,)] and con.sql(more).fetchall() == [(1,)]


def test_a_limit_walks_anew(con: suffice.Connection, tmp_path: Path) -> None:
    statement = f"SELECT brightness(image) FROM images('{tmp_path}/in/*.png') LIMIT 2"
    for _ in range(3):
        assert len(con.sql(statement)) == 2
    assert not is_remembered(con, statement)


def test_the_memory_is_bounded(con: suffice.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("suffice.answer.remembered.STATEMENTS_MAX", 3)
    con.sql(over(tmp_path))
    statements = [f"{over(tmp_path)} -- {i}" for i in range(5)]
    for statement in statements:
        con.sql(statement)
    assert [is_remembered(con, statement) for statement in statements] == [False, False, True, True, True]
