"""Which model runs first, what is learnt on the way, and where LIMIT stops."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from arithmetic import FunctionModel, arithmetic
from pictures import Brightness, write_picture

import suffice
from suffice.answer import materialise


def _filters(con: suffice.Connection, paid: Counter[str], **models: tuple[float, int]) -> None:
    """Models that let through numbers below a bound, each with its cost of one call in seconds."""
    for name, (cost_s, bound) in models.items():
        function = lambda x, bound=bound: [(x < bound,)]  # noqa: E731
        con.register(
            name, FunctionModel(name, function, [("x", "BIGINT")], [("value", "BOOLEAN")], "scalar", paid, 4, cost_s)
        )


@pytest.mark.parametrize(
    ("first", "models"),
    [
        # cost / (1 - share that survives): 1/(1-0.1) < 1/(1-0.9)
        ("picky", {"picky": (1.0, 100), "lax": (1.0, 900)}),
        # 3/(1-0.1) = 3.3 < 1/(1-0.9) = 10
        ("picky", {"picky": (3.0, 100), "lax": (1.0, 900)}),
        # 20/(1-0.1) = 22 > 0.2/(1-0.9) = 2
        ("lax", {"picky": (20.0, 100), "lax": (0.2, 900)}),
        # cost x share would say cheap (0.1 x 0.95 < 1 x 0.1): 0.1/(1-0.95) = 2 > 1/(1-0.1) = 1.1
        ("picky", {"picky": (1.0, 100), "lax": (0.1, 950)}),
    ],
)
@pytest.mark.parametrize("written", ["picky(x) AND lax(x)", "lax(x) AND picky(x)"])
def test_filters_run_by_cost_over_what_they_take_away(
    first: str, models: dict[str, tuple[float, int]], written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    con, paid = arithmetic()
    con.duckdb.execute("CREATE TABLE many AS SELECT (i * 7919) % 1000 AS x FROM range(1000) r(i)")
    _filters(con, paid, **models)
    # the models are quicker than they say: what they say is what counts here
    monkeypatch.setattr(con._engine.results, "seconds_per_input", lambda call: call.signature.cost_s)
    rows = con.sql(f"SELECT x FROM many WHERE {written}").fetchall()
    second = {"picky": "lax", "lax": "picky"}[first]
    assert sorted(rows) == [(x,) for x in range(100)]
    assert paid[first] == 1000
    survivors = models[first][1]
    assert survivors <= paid[second] <= survivors + materialise.PILOT_INPUTS


def test_a_predicate_without_a_model_runs_before_all() -> None:
    con, paid = arithmetic()
    con.sql("SELECT id FROM t WHERE even(x) AND third(x) = 1 AND id < 3")
    assert paid["even"] <= 3 and paid["third"] <= 3


def test_a_projection_that_needs_no_model_calls_none() -> None:
    con, paid = arithmetic()
    con.sql("CREATE VIEW v AS SELECT id, x, even(x) AS is_even, third(x) AS a_third FROM t")
    assert con.sql("SELECT count(*), max(id) FROM v").fetchall() == [(26, 25)] and not paid
    con.sql("SELECT is_even FROM v WHERE id = 1")
    assert paid == {"even": 1}


@pytest.fixture
def levels(tmp_path: Path) -> tuple[suffice.Connection, Brightness, str]:
    """Thirty pictures, named in order, every third of them bright."""
    for i in range(30):
        write_picture(tmp_path / f"{i:02}.png", 200 + i if i % 3 == 0 else i)
    con, model = suffice.connect(), Brightness()
    con.register("brightness", model)
    return con, model, f"images('{tmp_path}/*.png') i"


def test_limit_stops_early(levels: tuple[suffice.Connection, Brightness, str]) -> None:
    con, model, source = levels
    rows = con.sql(f"SELECT path FROM {source} WHERE brightness(i.image) > 100 LIMIT 2").fetchall()
    assert len(rows) == 2 and model.paid < 12


def test_limit_in_the_order_of_the_media_stops_early_and_is_right(
    levels: tuple[suffice.Connection, Brightness, str],
) -> None:
    con, model, source = levels
    query = f"SELECT parse_filename(path) FROM {source} WHERE brightness(i.image) > 100 ORDER BY path DESC LIMIT 3"
    assert con.sql(query).fetchall() == [("27.png",), ("24.png",), ("21.png",)]
    assert model.paid < 25


def test_limit_in_the_order_of_a_model_sees_everything(levels: tuple[suffice.Connection, Brightness, str]) -> None:
    con, model, source = levels
    query = f"SELECT parse_filename(path) FROM {source} ORDER BY brightness(i.image) DESC LIMIT 2"
    assert con.sql(query).fetchall() == [("27.png",), ("24.png",)]
    assert model.paid == 30
