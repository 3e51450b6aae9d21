"""Fingerprints kept between processes hold for one state of the file only."""

from __future__ import annotations

from pathlib import Path

import pytest

import suffice
from suffice.tables import fingerprint as module
from suffice.tables.file_state import file_state
from suffice.tables.fingerprint import fingerprint
from suffice.tables.kept_facts import keep_fact, keep_of_state, known_facts, known_of_state
from suffice.tables.reader import snapshot


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "WORTH_KEEPING_S", 0.0)
    path = tmp_path / "a.duckdb"
    with suffice.connect(path, progress=False) as con:
        con.sql("CREATE TABLE t AS SELECT range AS x FROM range(1000)")
    return path


def told(path: Path) -> str:
    with suffice.connect(path, progress=False) as con, snapshot(con._database) as reader:
        return fingerprint(reader, "t")


def test_one_is_kept_and_used_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(file)
    state = file_state(str(file))
    assert state is not None and known_of_state(str(file), state, "fingerprint of t") == first
    monkeypatch.setattr(module, "_KNOWN", {})
    monkeypatch.setattr(module, "_duckdb", lambda reader, name: pytest.fail("told anew"))
    assert told(file) == first


def test_it_does_not_outlive_a_change(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = told(file)
    with suffice.connect(file, progress=False) as con:
        con.sql("UPDATE t SET x = x + 1 WHERE x = 5")
    monkeypatch.setattr(module, "_KNOWN", {})
    assert told(file) != first


def test_another_state_finds_nothing(file: Path) -> None:
    told(file)
    state = file_state(str(file))
    assert state is not None
    assert known_of_state(str(file), (*state, (1, 2, 3, 4)), "fingerprint of t") is None


def test_a_folder_that_cannot_be_written_costs_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "blocked").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "blocked"))
    keep_of_state(str(file), ((1, 2, 3, 4),), "t", "mark")
    assert known_of_state(str(file), ((1, 2, 3, 4),), "t") is None


def test_facts_hold_for_one_fingerprint(file: Path) -> None:
    keep_fact(str(file), "mark", "rows of a key: x", 1)
    keep_of_state(str(file), ((1, 2, 3, 4),), "t", "mark")
    keep_fact(str(file), "mark", "range of x", [0.0, 999.0])
    assert known_facts(str(file), "mark") == {"rows of a key: x": 1, "range of x": [0.0, 999.0]}
    assert known_facts(str(file), "another") == {}
    assert known_of_state(str(file), ((1, 2, 3, 4),), "t") == "mark"


def test_a_name_with_a_quote_is_told_by_its_rows(file: Path) -> None:
    name = '"odd ""t able"'
    with suffice.connect(file, progress=False) as con:
        con.sample_always = True
        con.sql(f'CREATE TABLE {name} AS SELECT range AS "a b" FROM range(200000)')
        con.scramble(name)
        ask = f'SELECT sum("a b") AS s FROM {name} WITHIN 5%'
        assert con.sql(ask, seed=1).guarantee.tier == "finite-sample"  # type: ignore[union-attr]
        con.sql(f'UPDATE {name} SET "a b" = 7 WHERE "a b" = 8')
        assert con.sql(ask, seed=1).guarantee.tier == "exact"  # type: ignore[union-attr]


def test_columns_that_change_names_are_noticed(file: Path) -> None:
    with suffice.connect(file, progress=False) as con:
        con.sql("CREATE OR REPLACE TABLE t AS SELECT range AS x, -range AS y FROM range(1000)")
    before = told(file)
    with suffice.connect(file, progress=False) as con:
        for old, new in (("x", "z"), ("y", "x"), ("z", "y")):
            con.sql(f"ALTER TABLE t RENAME COLUMN {old} TO {new}")
    assert told(file) != before
