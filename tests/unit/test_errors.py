"""What is wrong is said in one line that names the thing and the nearest right one; what was paid for stays."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent / "sql"))

from arithmetic import arithmetic
from pictures import Brightness, write_picture

import suffice
from suffice.models.protocol import Column, Row, Signature


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT lable FROM t, divisors(t.x) o", ["lable"]),
        ("SELECT id FROM t WHERE evn(x)", ["evn", "even"]),
        ("SELECT id FROM t, divisrs(t.x) o", ["divisrs", "divisors"]),
        ("FROM image('x/*.png')", ["image", "images"]),
        ("SELECT even(x, x) FROM t", ["even", "1 argument"]),
        ("SELECT even(x, fps => 3) FROM t", ["even", "no options"]),
        ("SELECT divisors(x) FROM t", ["divisors", "use it in FROM"]),
        ("SELECT even('abc') FROM t", ["abc"]),
        ("FROM frames('nowhere/*.mp4')", ["nowhere"]),
        ("FROM frames('x.mp4', fsp => 2)", ["fsp", "fps"]),
        ("FROM frames(3)", ["pattern"]),
        ("SELECT even(x FROM t", ["column"]),
        ("SELECT even(1); SELECT even(2)", ["one statement"]),
        ("SELECT even((random() * 10)::BIGINT)", ["changes each time"]),
        ("SELECT t.id FROM t FULL JOIN u ON t.x = u.x AND even(id)", ["id", "relation"]),
        ("DELETE FROM t WHERE even(x)", ["query", "DELETE"]),
        ("CREATE MODEL m USING 'onxx:/x'", ["onxx", "onnx"]),
        ("CREATE MODEL abs USING 'detect'", ["abs", "already"]),
        ("CREATE MODEL m 'detect'", ["CREATE", "USING"]),
        ("DROP MODEL nothing_like_it", ["nothing_like_it"]),
        ("SELECT count(*) FROM t WITHIN 0%", ["between 0 and 100"]),
        ("SELECT * FROM no_such_table", ["no_such_table"]),
    ],
)
def test_one_line_that_names_it(sql: str, words: list[str]) -> None:
    con, paid = arithmetic()
    with pytest.raises(suffice.SufficeError) as caught:
        con.sql(sql)
    message = str(caught.value)
    assert "\n" not in message and "__" not in message and len(message) < 400
    assert all(word in message for word in words), message
    assert not paid


class Picky:
    """Fails on multiples of five, or always, or returns what it should not."""

    def __init__(self, how: str) -> None:
        self._how, self.paid = how, 0
        self.signature = Signature(
            "picky", how, (Column("x", "BIGINT"),), (Column("y", "BIGINT"),), "scalar", {}, batch_size=4
        )

    def prepare(self, x: int) -> int:
        return x

    def predict(self, batch: Sequence[Any]) -> list[list[Row]]:
        if self._how == "always" or (self._how == "fives" and any(x % 5 == 0 for x in batch)):
            raise ValueError("a multiple of five is too much")
        self.paid += len(batch)
        odd: dict[str, Any] = {"two rows": [(1,), (2,)], "two columns": [(1, 2)], "a word": [("one",)]}
        return [odd.get(self._how, [(x,)]) for x in batch][: 1 if self._how == "short" else None]


def test_a_row_that_fails_is_a_problem_and_the_rest_is_kept() -> None:
    con, model = suffice.connect(), Picky("fives")
    con.register("picky", model)
    con.sql("CREATE TABLE n AS SELECT i AS x FROM range(1, 21) r(i)")
    with pytest.warns(suffice.SufficeWarning, match="4 inputs failed"):
        result = con.sql("SELECT count(picky(x)), count(*) FROM n")
    assert result.fetchall() == [(16, 20)]
    assert result.work.model_calls["picky"].failed == 4
    assert sorted(con.sql("SELECT path, model FROM problems").fetchall()) == sorted(
        (str(x), "picky") for x in (5, 10, 15, 20)
    )
    with pytest.warns(suffice.SufficeWarning):
        assert con.sql("SELECT count(picky(x)) FROM n").work.model_calls["picky"].cached == 16
    assert model.paid == 16


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("always", ["picky", "every input", "too much"]),
        ("two rows", ["picky", "one row"]),
        ("two columns", ["picky", "1 columns"]),
        ("a word", ["picky", "'y'", "one"]),
        ("short", ["picky", "1 answers", "4 inputs"]),
    ],
)
def test_a_broken_model_is_named(how: str, words: list[str]) -> None:
    con = suffice.connect()
    con.register("picky", Picky(how))
    with pytest.raises(suffice.ModelError) as caught:
        con.sql("SELECT sum(picky(i)) FROM range(1, 9) r(i)")
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_string_keys_are_values_not_sql() -> None:
    con = suffice.connect()
    signature = Signature("size_of", "1", (Column("s", "VARCHAR"),), (Column("n", "BIGINT"),), "scalar", {})

    class SizeOf:
        def __init__(self) -> None:
            self.signature = signature

        def prepare(self, s: str) -> str:
            return s

        def predict(self, batch: Sequence[str]) -> list[list[Row]]:
            return [[(len(s),)] for s in batch]

    con.register("size_of", SizeOf())
    nasty = ["'); DROP TABLE s; --", '"', "a\nb", "%", "\\", "", "é"]
    con.sql("CREATE TABLE s (s VARCHAR)")
    con.duckdb.executemany("INSERT INTO s VALUES (?)", [[one] for one in nasty])
    assert sorted(con.sql("SELECT s, size_of(s) FROM s").fetchall()) == sorted((one, len(one)) for one in nasty)


def test_a_statement_beyond_the_budget_spends_nothing() -> None:
    con, paid = arithmetic()
    con.limit(max_calls=5)
    with pytest.raises(suffice.SufficeError, match="max_calls to 13"):
        con.sql("SELECT sum(third(x)) FROM t")
    assert not paid
    assert len(con.sql("SELECT third(x) FROM t WHERE id < 5")) == 5


def test_a_folder_that_is_not_there_and_a_file_that_is_no_database(tmp_path: Path) -> None:
    with pytest.raises(suffice.SufficeError, match="does not exist"):
        suffice.connect(tmp_path / "no" / "x.suffice")
    (tmp_path / "text").write_text("not a database, not even close to one" * 100)
    with pytest.raises(suffice.SufficeError, match="not a DuckDB"):
        suffice.connect(tmp_path / "text")


def test_a_store_of_another_layout_is_refused(tmp_path: Path) -> None:
    with suffice.connect(tmp_path / "x.suffice") as con:
        con.duckdb.execute("UPDATE suffice.meta SET value = '99'")
    with pytest.raises(suffice.SufficeError, match="layout 99"):
        suffice.connect(tmp_path / "x.suffice")


def test_a_full_disk_is_one_line_and_keeps_what_was_written(tmp_path: Path) -> None:
    """A process that may write no more than so many bytes to a file."""
    import subprocess

    script = f"""
import resource, sys
import suffice
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pictures import Brightness
con = suffice.connect({str(tmp_path / "x.suffice")!r})
con.register("brightness", Brightness())
con.sql("CREATE TABLE before AS SELECT 1 AS one")
import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    con.sql("CREATE TABLE big AS SELECT i, hash(i)::VARCHAR AS h FROM range(2_000_000) r(i)")
except suffice.SufficeError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert said.stdout.count("\n") == 1 and said.stdout.strip(), said.stderr[-500:]
    with suffice.connect(tmp_path / "x.suffice") as con:
        assert con.sql("FROM before").fetchall() == [(1,)]


def test_the_store_can_be_emptied_in_parts(tmp_path: Path) -> None:
    for name, level in (("a", 10), ("b", 20)):
        write_picture(tmp_path / f"{name}.png", level)
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    question = f"SELECT brightness(image) FROM images('{tmp_path}/*.png')"
    con.sql(question)
    con.sql(question)
    assert con.sql("SELECT model, inputs, done, cached, hit_rate FROM store").fetchall() == [
        ("brightness", 2, 2, 2, 0.5)
    ]
    assert con.store.drop(file=str(tmp_path / "a.png")) == 1
    con.sql(question)
    assert model.paid == 3
    assert con.store.drop(unused_days=1) == 0
    assert con.store.drop(model="brightness") == 2
    con.sql(question)
    assert model.paid == 5
    with pytest.raises(suffice.SufficeError, match="brightness"):
        con.store.drop(model="britness")
