"""EXPLAIN as a tree: what will be called, what is kept, how long it takes; and what became of that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pictures import Brightness, write_picture

import suffice

QUERY = "SELECT count(*) FROM images('{folder}/*.png') i WHERE brightness(i.image) > 3 AND i.path < '{folder}/05'"


@pytest.fixture
def con() -> suffice.Connection:
    con = suffice.connect()
    con.register("brightness", Brightness())
    return con


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(12):
        write_picture(tmp_path / f"{i:02}.png", i)
    return tmp_path


def test_a_tree_with_predicted_calls_hits_and_seconds(con: suffice.Connection, folder: Path) -> None:
    query = QUERY.format(folder=folder)
    cold = con.explain(query).splitlines()
    assert cold[0] == "answer (exact)"
    assert cold[1] == "├─ images: 12 rows"
    assert cold[2] == "└─ brightness(i.image): 5 inputs, 0 cached, 5 calls, 0.1 s"
    assert cold[3] == f"     only where i.path < '{folder}/05'"
    assert con.sql(query).work.model_calls["brightness"].done == 5
    warm = con.explain(query)
    assert "brightness(i.image): 5 inputs, 5 cached, 0 calls, 0.0 s" in warm
    half = con.explain(query.replace("/05'", "/08'"))
    assert "8 inputs, 5 cached, 3 calls" in half


def test_explain_pays_nothing(con: suffice.Connection, folder: Path) -> None:
    con.explain(QUERY.format(folder=folder))
    assert con.sql("SELECT coalesce(sum(inputs), 0) FROM store").fetchall() == [(0,)]


def test_analyze_runs_and_puts_predicted_beside_actual(con: suffice.Connection, folder: Path) -> None:
    plan = con.explain(QUERY.format(folder=folder), analyze=True)
    assert re.search(r"brightness: 5 calls \(predicted 5\), 0 cached, 7 skipped, \d+\.\d+ s", plan)
    assert re.search(r"└─ parse [\d.]+ s, bind [\d.]+ s, plan [\d.]+ s", plan)
    again = con.explain(QUERY.format(folder=folder), analyze=True)
    assert "brightness: 0 calls (predicted 0), 5 cached, 7 skipped" in again


def test_a_chained_call_is_scaled_up_from_what_is_known(con: suffice.Connection, folder: Path) -> None:
    chain = "SELECT brightness(crop(i.image, 0, 0, v, 4)) FROM (SELECT i.image, brightness(i.image) AS v FROM {s}) i"
    source = f"images('{folder}/*.png') i"
    plan = con.explain(chain.format(s=source))
    assert "as many inputs as the calls before it leave" in plan and "12 inputs, 0 cached, 12 calls" in plan
    con.sql(f"SELECT brightness(i.image) FROM {source} WHERE path < '{folder}/06'")
    assert re.search(r"CROP\(.*about 1\d inputs", con.explain(chain.format(s=source)), re.IGNORECASE)
