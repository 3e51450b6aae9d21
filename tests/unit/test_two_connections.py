"""What one connection drops, makes or computes, another to the same store sees at its next statement."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from function_model import FunctionModel
from pictures import Brightness, write_picture

import suffice

Pair = tuple[suffice.Connection, suffice.Connection]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with suffice.connect(tmp_path / "x.suffice") as one, suffice.connect(tmp_path / "x.suffice") as other:
        yield one, other


def check_drops_are_noticed(pair: Pair, folder: Path) -> None:
    write_picture(folder / "a.png", 3)
    model = Brightness()
    for con in pair:
        con.register("brightness", model)
    question = f"SELECT brightness(image) FROM images('{folder}/*.png')"
    for con in (*pair, *pair):
        assert con.sql(question).fetchall() == [(3,)]
    assert model.paid == 1
    assert pair[1].store.drop(model="brightness") == 1
    assert pair[0].sql(question).fetchall() == [(3,)]
    assert pair[1].sql(question).fetchall() == [(3,)]
    assert model.paid == 2


def check_views_and_models_are_shared(pair: Pair, folder: Path) -> None:
    write_picture(folder / "a.png", 3)
    one, other = pair
    other.sql("SELECT 1")
    one.sql(f"CREATE VIEW pictures AS SELECT * FROM images('{folder}/*.png')")
    one.sql("CREATE MODEL first_tag USING 'tag' (k => 2)")
    assert other.sql("SELECT count(*) FROM pictures").fetchall() == [(1,)]
    assert len(other.sql("SELECT first_tag(image) FROM pictures")) == 1
    other.sql("DROP VIEW pictures")
    other.sql("DROP MODEL first_tag")
    for statement in ("SELECT count(*) FROM pictures", "SELECT first_tag('x')"):
        with pytest.raises(suffice.SufficeError):
            one.sql(statement)


def test_drops_are_noticed(pair: Pair, tmp_path: Path) -> None:
    check_drops_are_noticed(pair, tmp_path / "in")


def test_views_and_models_are_shared(pair: Pair, tmp_path: Path) -> None:
    check_views_and_models_are_shared(pair, tmp_path / "in")


def test_a_model_inside_a_transaction_of_the_users(pair: Pair) -> None:
    con = pair[0]
    con.register("brightness", Brightness())
    con.sql("CREATE TABLE t AS SELECT 1 AS one")
    con.sql("BEGIN")
    con.sql("INSERT INTO t VALUES (2)")
    with pytest.raises(suffice.UsageError, match="COMMIT or ROLLBACK first"):
        con.sql(f"SELECT brightness('img:{'0' * 32}')")
    con.sql("ROLLBACK")
    assert con.sql("FROM t").fetchall() == [(1,)]
    con.sql("BEGIN")
    con.sql("INSERT INTO t VALUES (3)")
    con.sql("COMMIT")
    assert con.sql("FROM t").fetchall() == [(1,), (3,)]


def test_who_opens_a_store_waits_for_nobody_who_computes(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(number: int) -> list[tuple[int]]:
        begun.set()
        assert go_on.wait(60)
        return [(number,)]

    with suffice.connect(tmp_path / "x.suffice") as one, ThreadPoolExecutor(2) as pool:
        one.register("slow", FunctionModel("slow", slow, ["INTEGER"], [("value", "INTEGER")]))
        try:
            computing = pool.submit(lambda: one.sql("SELECT slow(7)").fetchall())
            assert begun.wait(30)
            with pool.submit(suffice.connect, tmp_path / "x.suffice").result(30) as other:
                assert other.sql("SELECT 1").fetchall() == [(1,)] and not computing.done()
        finally:
            go_on.set()
        assert computing.result(30) == [(7,)]
