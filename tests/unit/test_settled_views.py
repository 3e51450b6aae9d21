"""Views that nothing is missing of are kept joined, and only as long as that is true."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pictures import Brightness, write_picture
from PIL import Image

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


def test_a_settled_view_is_compressed(con: suffice.Connection) -> None:
    for _ in range(3):
        con.sql("SELECT sum(v) FROM in_levels")
    (known,) = con._settled._known.values()
    segments = con.duckdb.execute(f"SELECT compression FROM pragma_storage_info('{known.table.table}')").fetchall()
    assert ("DICT_FSST",) in segments  # its text; columns of six numbers are not worth it


def test_inside_a_transaction_nothing_is_settled(con: suffice.Connection) -> None:
    con.sql("SELECT sum(v) FROM in_levels")
    con.sql("BEGIN")
    for _ in range(3):
        assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(150,)]
    assert settled(con) == 0
    con.sql("ROLLBACK")
    assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(150,)]


def test_dropping_results_inside_a_transaction_that_read_them(con: suffice.Connection) -> None:
    for _ in range(3):
        con.sql("SELECT sum(v) FROM in_levels")
    con.sql("BEGIN")
    con.duckdb.execute("CREATE TABLE mine AS SELECT 1 AS x")
    assert con.sql("SELECT sum(v) FROM in_levels").fetchall() == [(150,)]
    con.sql("SET threads = 1")  # a setting may change what statements mean: everything is forgotten
    assert settled(con) == 0
    con.sql("COMMIT")
    assert con.sql("SELECT sum(v), (SELECT x FROM mine) FROM in_levels").fetchall() == [(150, 1)]


def test_connections_to_one_file_settle_apart(tmp_path: Path) -> None:
    write_picture(tmp_path / "0.png", 7)
    first, second = (suffice.connect(tmp_path / "one.suffice", roots=[tmp_path]) for _ in range(2))
    for con in (first, second):
        con.register("brightness", Brightness())
    first.sql(f"CREATE VIEW v AS SELECT brightness(image) AS b FROM images('{tmp_path}/*.png')")
    for con in (first, second, first, second, first, second):
        assert con.sql("SELECT b FROM v").fetchall() == [(7,)]
    assert settled(first) == settled(second) == 1
    first.close()
    assert second.sql("SELECT b FROM v").fetchall() == [(7,)]
    assert len(second.duckdb.execute("SELECT * FROM duckdb_databases() WHERE NOT internal").fetchall()) == 2


def test_an_image_that_a_view_makes_is_not_the_blob_beside_it(tmp_path: Path) -> None:
    """A view may call a crop `image` and keep `blob_id`: what is said of the whole blob is not said of the crop."""
    Image.fromarray(np.repeat([[10] * 4 + [200] * 4], 6, 0).astype(np.uint8)).save(tmp_path / "0.png")
    con, rows = suffice.connect(), Brightness()
    rows.signature = replace(rows.signature, name="levels", returns="rows")
    con.register("brightness", Brightness())
    con.register("levels", rows)
    con.sql(
        "CREATE VIEW v AS SELECT i.blob_id, crop(i.image, 4, 0, 8, 6) AS image, brightness(i.image) AS whole"
        f" FROM images('{tmp_path}/*.png') i"
    )
    assert con.sql(f"SELECT l.level FROM images('{tmp_path}/*.png') i, levels(i.image) l").fetchall() == [(105,)]
    for _ in range(3):
        assert con.sql("SELECT whole FROM v").fetchall() == [(105,)]
    for _ in range(2):
        assert con.sql("SELECT l.level, brightness(v.image) FROM v, levels(v.image) l").fetchall() == [(200, 200)]
