"""Views that nothing is missing of are kept joined, and only as long as that is true."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import Brightness, write_picture

import suffice


@pytest.fixture
def con(tmp_path: Path) -> suffice.Connection:
    for i in range(6):
        write_picture(tmp_path / "in" / f"{i}.png", 10 * i)
        write_picture(tmp_path / "more" / f"{i}.png", 100 + i)
    con = suffice.connect()
    con.register("brightness", Brightness())
    for name in ("in", "more"):
        con.sql(
            f"CREATE VIEW {name}_levels AS SELECT path, brightness(image) AS v FROM images('{tmp_path / name}/*.png')"
        )
    return con


def settled(con: suffice.Connection) -> int:
    return len(con._settled._known)


def test_a_complete_view_settles_and_answers_the_same(con: suffice.Connection) -> None:
    question = "SELECT sum(v), count(*) FROM in_levels"
    first = con.sql(question)
    assert first.work.model_calls["brightness"].done == 6 and settled(con) == 0
    assert con.sql(question).fetchall() == first.fetchall() == [(150, 6)] and settled(con) == 0
    assert con.sql(question).fetchall() == first.fetchall() and settled(con) == 1
    again = con.sql("SELECT sum(v) FROM in_levels WHERE v > 20")
    assert again.fetchall() == [(120,)]
    assert (again.work.model_calls["brightness"].done, again.work.model_calls["brightness"].cached) == (0, 6)


def test_a_view_that_is_only_partly_known_does_not(con: suffice.Connection) -> None:
    con.sql("SELECT v FROM in_levels WHERE path LIKE '%3.png'")
    con.sql("SELECT sum(v) FROM more_levels")
    both = "SELECT (SELECT sum(v) FROM in_levels WHERE path LIKE '%3.png'), (SELECT sum(v) FROM more_levels)"
    assert con.sql(both).fetchall() == con.sql(both).fetchall() == [(30, 615)]
    assert con.sql("SELECT sum(v), count(v) FROM in_levels").fetchall() == [(150, 6)]


def test_a_changed_file_unsettles(con: suffice.Connection, tmp_path: Path) -> None:
    for _ in range(3):
        assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(150,)]
    write_picture(tmp_path / "in" / "0.png", 200)
    (tmp_path / "in" / "5.png").unlink()
    for _ in range(3):
        assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(300,)]


def test_dropped_results_and_another_model_unsettle(con: suffice.Connection) -> None:
    for _ in range(3):
        con.sql("SELECT sum(v) FROM in_levels")
    assert settled(con) == 1
    con.store.drop(model="brightness")
    assert settled(con) == 0
    assert con.sql("SELECT sum(v) FROM in_levels").work.model_calls["brightness"].done == 6
    con.sql("SELECT sum(v) FROM in_levels")
    con.register("brightness", Brightness("2", 1.0))
    assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(156,)]


def test_a_view_that_is_replaced_is_another_view(con: suffice.Connection, tmp_path: Path) -> None:
    for _ in range(3):
        con.sql("SELECT sum(v) FROM in_levels")
    con.sql(f"CREATE OR REPLACE VIEW in_levels AS SELECT -brightness(image) AS v FROM images('{tmp_path}/in/*.png')")
    for _ in range(3):
        assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(-150,)]
