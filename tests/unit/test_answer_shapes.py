"""One answer in every shape: tuples, Arrow, pandas, Polars, a terminal, a notebook with pictures and boxes."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from pictures import write_picture
from PIL import Image

import suffice

ROWS = [(1, "a", 0.5), (2, None, 1.5)]


@pytest.fixture
def result() -> suffice.Result:
    return suffice.connect().sql("SELECT * FROM (VALUES (1, 'a', 0.5::DOUBLE), (2, NULL, 1.5)) t(n, word, share)")


@pytest.mark.parametrize(
    ("select", "names"),
    [
        ("1 AS a, 2 AS a, 3 AS a_1", ["a", "a", "a_1"]),
        ("1 AS a_1", ["a_1"]),
        ("count(*), count(*)", ["count_star()"] * 2),
    ],
)
def test_columns_keep_the_names_they_were_given(select: str, names: list[str]) -> None:
    result = suffice.connect().sql(f"SELECT {select}")
    assert result.columns == names and len(result.fetchone() or ()) == len(names)


def test_rows_frames_and_tables(result: suffice.Result) -> None:
    assert result.fetchall() == list(result) == ROWS and result.fetchone() == ROWS[0]
    assert (len(result), result.columns, result.head(1, offset=1)) == (2, ["n", "word", "share"], ROWS[1:])
    assert result.arrow().to_pylist()[1] == {"n": 2, "word": None, "share": 1.5}
    assert result.df()["share"].tolist() == [0.5, 1.5]


def test_polars(result: suffice.Result) -> None:
    polars = pytest.importorskip("polars")
    frame = result.pl()
    assert isinstance(frame, polars.DataFrame) and frame.rows() == ROWS and frame.columns == result.columns


def test_columns_of_one_name_stay_apart_in_order() -> None:
    result = suffice.connect().sql("SELECT 1 AS a, 2 AS a, 3 AS b")
    assert (result.columns, result.fetchall()) == (["a", "a", "b"], [(1, 2, 3)])


def test_the_terminal(result: suffice.Result, capsys: pytest.CaptureFixture[str]) -> None:
    result.show(rows=1)
    shown = capsys.readouterr().out
    assert "word" in shown and "0.5" in shown and "exact" in shown and "1.5" not in shown


def test_a_notebook_shows_thumbnails_with_the_row_s_box(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", 10, (640, 480))
    con = suffice.connect()
    columns = "image, 160 AS x0, 120 AS y0, 480 AS x1, 360 AS y1, 'cup' AS label, 0.9::DOUBLE AS score"
    drawn, plain = (
        _thumbnail(con.sql(f"SELECT {chosen} FROM images('{tmp_path}/*.png')")._repr_html_())
        for chosen in (columns, "image")
    )
    assert drawn.shape == plain.shape == (240, 320, 3)
    assert np.abs(plain.astype(int) - 10).max() <= 2, "a grey picture"
    changed = np.abs(drawn.astype(int) - plain).max(axis=2) > 60
    rows, columns_hit = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    assert changed[178:183, 90:230].any(axis=0).all(), "the lower edge of the box, at half the size"
    assert abs(rows.max() - 180) <= 3 and abs(columns_hit.min() - 80) <= 3
    assert not changed[130:170, 90:230].any(), "nothing inside the box"


def test_what_stands_in_a_table_is_text_not_html() -> None:
    shown = suffice.connect().sql("SELECT '<script>alert(1)</script>' AS \"<b>\"")._repr_html_()
    assert "<script>" not in shown and "&lt;script&gt;" in shown and "<b>" not in shown


def _thumbnail(html: str) -> np.ndarray:
    (data,) = re.findall(r"src='data:image/jpeg;base64,([^']+)'", html)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
