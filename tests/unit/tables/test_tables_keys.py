"""Joins of two large tables, drawn by the keys that join them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tables_data import begin_at

import suffice
from suffice.errors import UsageError

TABLES = (
    "CREATE TABLE a AS SELECT (hash(range) % 60000)::INT AS k, (hash(range + 1) % 100)::INT AS x,"
    " (hash(range + 2) % 3)::INT AS g FROM range(240000)",
    "CREATE TABLE b AS SELECT (hash(range + 7) % 60000)::INT AS key, 1 + (hash(range + 3) % 10)::INT AS y,"
    " CASE WHEN range % 3 = 0 THEN 'p' ELSE 'q' END AS kind FROM range(150000)",
    "CREATE TABLE names AS SELECT range::INT AS g, 'n' || range AS name FROM range(3)",
)
JOIN = "FROM a JOIN b ON a.k = b.key"


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> Iterator[suffice.Connection]:
    with suffice.connect(tmp_path_factory.mktemp("keys") / "k.duckdb", progress=False) as made:
        made.sample_always = True
        for statement in TABLES:
            made.sql(statement)
        made.scramble("a", by="k")
        made.scramble("b", by="key")
        yield made


QUESTIONS = (
    f"SELECT sum(x * y) AS s, count(*) AS n {JOIN}",
    f"SELECT avg(x) AS m {JOIN} WHERE kind = 'p'",
    f"SELECT kind, sum(y) AS s {JOIN} GROUP BY kind ORDER BY kind",
    "SELECT name, sum(x * y) AS s FROM a, b, names WHERE k = key AND a.g = names.g GROUP BY name ORDER BY name",
)


@pytest.mark.parametrize("question", QUESTIONS)
def test_many_to_many_joins_are_sampled(con: suffice.Connection, question: str) -> None:
    for seed in range(3):
        result = con.sql(f"{question} WITHIN 20% CONFIDENCE 99%", seed=seed)
        assert result.guarantee is not None
        assert result.guarantee.tier == "finite-sample"
        assert result.guarantee.details["drawn_from"] == "keys of a join, by their hash"
        assert result.guarantee.sampled < 0.31 * result.guarantee.population
        assert con.audit(result).held


def test_everything_drawn_is_the_join(con: suffice.Connection) -> None:
    """Sums over all keys, drawn in three parts, are those of the join itself."""
    from suffice.answer.tables.sampling_plan import plan_sampling
    from suffice.sql.aggregate.unit_query import DRAWN_BESIDE, DRAWN_ROWS
    from suffice.sql.statement import parse_one
    from suffice.tables.key_scramble import KeyScramble
    from suffice.tables.reader import snapshot

    with snapshot(con._database) as reader:
        plan = plan_sampling(parse_one(f"SELECT sum(x * y) AS s, count(*) AS n {JOIN}"), reader)  # type: ignore[arg-type]
        assert isinstance(plan.source, KeyScramble)
        plan.source.start(1, plan.drawing.columns())
        begin_at(plan.source.run, 0)
        total, rows = 0.0, 0.0
        for size in (100, 5000, plan.source.units - 5100):
            drawn = plan.source.draw([size])
            sql = plan.unit_sql.replace(DRAWN_ROWS, drawn.relation_sql).replace(DRAWN_BESIDE, drawn.beside_sql)
            found = reader.table(sql)
            total, rows = total + found.column("__s0")[0].as_py(), rows + found.column("__s1")[0].as_py()
        assert [(total, rows)] == con.sql(f"SELECT sum(x * y) AS s, count(*) AS n {JOIN}").fetchall()


def test_an_outer_join_is_not_drawn_by_keys(con: suffice.Connection) -> None:
    result = con.sql("SELECT count(*) AS n FROM a LEFT JOIN b ON a.k = b.key WITHIN 20%", seed=1)
    assert result.guarantee is not None and result.guarantee.tier == "exact"
    assert "too many to read whole" in result.guarantee.method


def test_a_copy_of_another_state_or_seed_is_not_used(tmp_path: Path) -> None:
    ask = f"SELECT sum(x * y) AS s {JOIN} WITHIN 20%"
    with suffice.connect(tmp_path / "k.duckdb", progress=False) as con:
        con.sample_always = True
        for statement in TABLES:
            con.sql(statement)
        con.scramble("a", by="k", seed=1)
        con.scramble("b", by="key", seed=2)
        assert con.sql(ask, seed=1).guarantee.tier == "exact"  # type: ignore[union-attr]
        con.drop_scramble("b")
        assert not con.scramble("b", by="key", seed=1).was_fresh
        assert con.scramble("b", by="key", seed=1).was_fresh
        assert con.sql(ask, seed=1).guarantee.tier == "finite-sample"  # type: ignore[union-attr]
        con.sql("INSERT INTO b VALUES (1, 1, 'p')")
        assert con.sql(ask, seed=1).guarantee.tier == "exact"  # type: ignore[union-attr]


def test_what_is_no_key_is_refused(con: suffice.Connection) -> None:
    with pytest.raises(UsageError, match="no column kee"):
        con.scramble("b", by="kee")
    con.sql("CREATE OR REPLACE TABLE c AS SELECT 1.5::DOUBLE AS d")
    with pytest.raises(UsageError, match="d is a DOUBLE"):
        con.scramble("c", by="d")
