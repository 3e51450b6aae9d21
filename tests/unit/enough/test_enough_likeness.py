"""``PROXY nearest(embedding)``: representatives, what they say of the rest, and the index they are kept in."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from function_model import FunctionModel

import suffice
from suffice.errors import UsageError
from suffice.estimate.representatives import farthest_points, propagated
from suffice.store.vectors.open_index import open_index

SIZE = 400


def kind(i: int) -> int:
    """Which of ten sorts a unit is of; the sort says how many rows it has."""
    return (i * 37) % 100 // 10


def place(i: int) -> list[float]:
    """An embedding: sorts lie apart, units of a sort near each other."""
    angle = 2 * np.pi * kind(i) / 10
    return [float(np.cos(angle)), float(np.sin(angle)), (i % 7) / 100]


def shop() -> tuple[suffice.Connection, FunctionModel]:
    con = suffice.connect(progress=False)
    goods = FunctionModel(
        "goods", lambda i: [("jar", 1.0)] * kind(i), ["INTEGER"], [("label", "VARCHAR"), ("v", "DOUBLE")], "rows",
        rows_max=9, ranges={"v": (0.0, 1.0)}, batch_size=64,
    )  # fmt: skip
    con.register("goods", goods)
    con.register("place", FunctionModel("place", lambda i: [(place(i),)], ["INTEGER"], [("e", "FLOAT[3]")]))
    con.register("rare", FunctionModel("rare", lambda i: [(kind(i) == 9,)], ["INTEGER"], [("v", "BOOLEAN")]))
    con.sql(f"CREATE TABLE shelves AS SELECT i AS shelf FROM range({SIZE}) r(i)")
    return con, goods


def test_farthest_points_cover_and_go_on_from_those_chosen() -> None:
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(c, 0.01, (50, 4)) for c in range(6)]).astype(np.float32)
    first = farthest_points(vectors, 6, np.zeros(0, dtype=np.int64))
    assert sorted(unit // 50 for unit in first) == list(range(6))
    more = np.concatenate([vectors, rng.normal(9, 0.01, (50, 4)).astype(np.float32)])
    assert [unit // 50 for unit in farthest_points(more, 1, first)] == [6]
    assert farthest_points(np.ones((5, 2), np.float32), 3, np.zeros(0, dtype=np.int64)).size == 1


def test_propagated_goes_by_distance_and_skips_what_nobody_knows() -> None:
    values = np.array([[1.0, 0.0], [np.nan, 4.0], [np.nan, np.nan]])
    said = propagated(values, np.array([[0.1, 0.9], [0.1, 0.9], [0.1, 0.2]]), 2)
    assert said[0] == pytest.approx(0.9, abs=0.03) and said[1] == 4.0 and said[2] == pytest.approx(5 / 3)


def test_nearest_saves_most_of_the_calls_and_holds() -> None:
    question = "SELECT count(*) AS n FROM shelves s, goods(s.shelf) g WITHIN 10%"
    truth = sum(map(kind, range(SIZE)))
    plain, paid_plain = shop()
    plain.sql(question, seed=1)
    con, goods = shop()
    result = con.sql(f"{question} PROXY nearest(place(shelf))", seed=1)
    ((low, high),) = result.guarantee.intervals["n"]
    details = result.guarantee.details
    assert low <= truth <= high and goods.paid < 0.75 * paid_plain.paid
    assert details["representatives"] == 20 and details["proxy"] == "nearest(PLACE(shelf)), 20 representatives"
    assert goods.paid == details["representatives"] + details["drawn"] == result.guarantee.sampled
    assert result.work.model_calls["place"].done == SIZE


def test_representatives_are_paid_from_the_budget() -> None:
    con, goods = shop()
    target = "BUDGET 60 CALLS PROXY nearest(place(shelf), representatives => 40, index => 'flat')"
    result = con.sql(f"SELECT count(*) AS n FROM shelves s, goods(s.shelf) g {target}", seed=1)
    assert goods.paid <= 60 and result.guarantee.details["representatives"] == 15


def test_rows_and_limits_go_by_likeness_too() -> None:
    con, _ = shop()
    rows = con.sql(
        "SELECT shelf FROM shelves WHERE rare(shelf) RECALL 90% CONFIDENCE 80% BUDGET 200 CALLS"
        " PROXY nearest(place(shelf))",
        seed=2,
    )
    right = {i for i in range(SIZE) if kind(i) == 9}
    assert len({i for i, _ in rows.fetchall()} & right) >= 0.9 * len(right)
    con, _ = shop()
    few = con.sql("SELECT shelf FROM shelves WHERE rare(shelf) LIMIT 8 PROXY nearest(place(shelf))", seed=2)
    assert {i for (i,) in few.fetchall()} <= right and few.work.model_calls["rare"].done < 80


WRONG = [
    ("nearest()", "such as nearest"),
    ("nearest(place(shelf), colour => 3)", "with the options"),
    ("nearest(place(shelf), representatives => 0)", "with the options"),
    ("nearest(shelf)", "no list|Unimplemented|cast"),
    ("nearest(place(shelf), index => 'fais')", "did you mean|faiss"),
    ("nearest(place(shelf), index => 'lancedb')", "connect to a file"),
]


@pytest.mark.parametrize(("proxy", "advice"), WRONG)
def test_what_is_wrong_with_nearest_is_said(proxy: str, advice: str) -> None:
    con, goods = shop()
    with pytest.raises(suffice.errors.SufficeError, match=advice):
        con.sql(f"SELECT count(*) AS n FROM shelves s, goods(s.shelf) g WITHIN 10% PROXY {proxy}", seed=1)
    assert goods.paid == 0


@pytest.mark.parametrize("kind", ["flat", "faiss", "lancedb", "chroma"])
def test_every_index_finds_the_nearest_and_keeps_what_it_was_given(kind: str, tmp_path: Path) -> None:
    pytest.importorskip({"flat": "numpy", "lancedb": "lancedb", "chroma": "chromadb"}.get(kind, kind))
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(60, 8)).astype(np.float32)
    index = open_index(kind, "frames embed(image)", 8, tmp_path)
    index.add(np.arange(40) * 3, vectors[:40])
    index.add(np.arange(40, 60) * 3, vectors[40:])
    again = index if kind == "flat" else open_index(kind, "frames embed(image)", 8, tmp_path)
    assert again.ids().tolist() == [3 * i for i in range(60)]
    asked = vectors[[5, 50]] + 0.001
    ids, distances = again.nearest(asked, 4)
    exact = np.sqrt(((asked[:, None] - vectors[None]) ** 2).sum(axis=2))
    assert ids.tolist() == (3 * np.argsort(exact, axis=1)[:, :4]).tolist()
    assert distances == pytest.approx(np.sort(exact, axis=1)[:, :4], abs=1e-3)
    assert not open_index(kind, "frames other(image)", 8, tmp_path).ids().size


def test_no_such_index() -> None:
    with pytest.raises(UsageError, match="did you mean 'chroma'"):
        open_index("croma", "x", 3, None)


def test_weaviate_by_its_own_client_against_a_replayed_protocol() -> None:
    pytest.importorskip("weaviate")
    from weaviate_replay import WeaviateReplay

    replay, rng = WeaviateReplay(), np.random.default_rng(1)
    vectors = rng.normal(size=(12, 8)).astype(np.float32)
    with closing(replay):
        with closing(open_index(f"weaviate:{replay.url}", "frames embed(image)", 8, None)) as index:
            assert not index.ids().size
            index.add(np.arange(10) * 3, vectors[:10])
        with closing(open_index(f"weaviate:{replay.url}", "frames embed(image)", 8, None)) as again:
            again.add(np.array([31, 34]), vectors[10:])
            assert again.ids().tolist() == [*(3 * i for i in range(10)), 31, 34]
            ids, distances = again.nearest(vectors[[4, 11]] + 0.001, 3)
        exact = np.sqrt(((vectors[[4, 11]][:, None] + 0.001 - vectors[None]) ** 2).sum(axis=2))
        assert ids[:, 0].tolist() == [12, 34] and distances == pytest.approx(np.sort(exact)[:, :3], abs=1e-3)
