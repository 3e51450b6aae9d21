"""Files that come, change, go or are broken, seen through media tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pictures import Brightness, write_picture

import suffice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, level in (("a", 10), ("b", 20), ("c", 30)):
        write_picture(tmp_path / "in" / f"{name}.png", level)
    return tmp_path / "in"


def levels(con: suffice.Connection, folder: Path) -> list[tuple[str, float]]:
    rows = con.sql(f"SELECT path, brightness(image) FROM images('{folder}/*.png') ORDER BY path").fetchall()
    return [(Path(path).stem, level) for path, level in rows]


def test_new_changed_and_deleted_files_are_noticed(folder: Path) -> None:
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    assert levels(con, folder) == [("a", 10), ("b", 20), ("c", 30)]
    write_picture(folder / "d.png", 40)
    write_picture(folder / "b.png", 25)
    (folder / "a.png").unlink()
    assert levels(con, folder) == [("b", 25), ("c", 30), ("d", 40)]
    assert model.paid == 5


def test_equal_bytes_are_paid_once(folder: Path) -> None:
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    shutil.copy(folder / "a.png", folder / "copy.png")
    assert levels(con, folder) == [("a", 10), ("b", 20), ("c", 30), ("copy", 10)]
    assert model.paid == 3
    (folder / "a.png").rename(folder / "z.png")
    assert [name for name, _ in levels(con, folder)] == ["b", "c", "copy", "z"]
    assert model.paid == 3


def test_another_version_or_option_is_another_result(tmp_path: Path, folder: Path) -> None:
    con = suffice.connect(tmp_path / "v.suffice")
    for model, expected_paid in ((Brightness(), 3), (Brightness("2"), 3), (Brightness("2", 0.5), 3), (Brightness(), 0)):
        con.register("brightness", model)
        assert levels(con, folder)[0] == ("a", 10 + model.signature.options["offset"])
        assert model.paid == expected_paid


def test_what_hangs_on_an_unchanged_part_is_kept(folder: Path) -> None:
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    question = f"SELECT brightness(crop(image, 0, 0, {{}}, 4)) FROM images('{folder}/*.png')"
    con.sql(question.format(4))
    con.sql(question.format(4))
    assert model.paid == 3
    con.sql(question.format(5))
    assert model.paid == 6


def test_broken_files_are_problems_and_warnings(folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "empty.png").touch()
    con = suffice.connect()
    with pytest.warns(suffice.SufficeWarning) as caught:
        assert len(con.sql(f"FROM images('{folder}/*.png')").fetchall()) == 3
    assert {Path(str(w.message).split("'")[1]).name for w in caught} == {"broken.png", "empty.png"}
    problems = con.sql("SELECT path, message FROM problems ORDER BY path").fetchall()
    assert [Path(path).name for path, _ in problems] == ["broken.png", "empty.png"]
    with pytest.warns(suffice.SufficeWarning):
        con.sql(f"FROM images('{folder}/*.png')")


def test_a_picture_that_turns_bad_later_is_a_failed_input(folder: Path) -> None:
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    images = con.sql(f"SELECT image FROM images('{folder}/*.png') ORDER BY path").fetchall()
    con.sql(f"CREATE TABLE kept AS SELECT image FROM images('{folder}/*.png')")
    (folder / "b.png").unlink()
    with pytest.warns(suffice.SufficeWarning, match="1 inputs failed"):
        rows = con.sql("SELECT image, brightness(image) FROM kept ORDER BY 2").fetchall()
    assert rows == [(images[0][0], 10), (images[2][0], 30), (images[1][0], None)]
    assert "b.png" in con.sql("SELECT message FROM problems").fetchall()[0][0]


@pytest.mark.parametrize(
    "name", ["x'); DROP TABLE t; --", "two\nlines", 'quo"ted', "ünïcode 图", "br[ack]et", "per%cent"]
)
def test_odd_file_names(tmp_path: Path, name: str) -> None:
    write_picture(tmp_path / f"{name}.png", 7)
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    con.sql("CREATE TABLE t AS SELECT 1 AS one")
    rows = con.sql(f"SELECT path, brightness(image) FROM images('{tmp_path}/*.png')").fetchall()
    assert rows == [(str(tmp_path / f"{name}.png"), 7)]
    assert con.sql("FROM t").fetchall() == [(1,)]


def test_memory_file_system() -> None:
    import fsspec

    files = fsspec.filesystem("memory")
    with files.open("/pictures/one.txt", "wb") as file:
        file.write(b"a text in memory")
    rows = suffice.connect().sql("SELECT path, text FROM texts('memory://pictures/*.txt')").fetchall()
    assert rows == [("memory:///pictures/one.txt", "a text in memory")]


def test_nothing_outside_the_roots_is_read(tmp_path: Path, folder: Path) -> None:
    con = suffice.connect(roots=[tmp_path / "elsewhere"])
    with pytest.raises(suffice.SufficeError, match="outside the allowed folders"):
        con.sql(f"FROM images('{folder}/*.png')")
    assert len(suffice.connect(roots=[tmp_path]).sql(f"FROM images('{folder}/*.png')")) == 3
