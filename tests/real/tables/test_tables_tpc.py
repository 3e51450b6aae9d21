"""TPC-H's 22 and TPC-DS's 99 queries with a target: what is answered exactly equals DuckDB's answer."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import suffice

KINDS = {"tpch": ("CALL dbgen(sf = 0.01)", 22), "tpcds": ("CALL dsdgen(sf = 0.01)", 99)}


@pytest.fixture(scope="module", params=KINDS)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str]]]:
    pytest.importorskip(f"duckdb_extension_{request.param}", reason="the TPC extensions are not installed")
    folder = importlib.resources.files(f"duckdb_extension_{request.param}") / "extensions" / f"v{duckdb.__version__}"
    path, (make, count) = tmp_path_factory.mktemp("tpc") / "tpc.duckdb", KINDS[request.param]
    with duckdb.connect(str(path)) as con:
        con.execute("SET threads = 1")
        con.execute(f"LOAD '{folder / (request.param + '.duckdb_extension')}'")
        con.execute(make)
        queries = con.execute(f"SELECT query FROM {request.param}_queries() ORDER BY query_nr").fetchall()
    assert len(queries) == count
    yield path, [sql.strip().rstrip(";") for (sql,) in queries]


def test_every_query_is_answered_and_the_exact_ones_are_equal(asked: tuple[Path, list[str]]) -> None:
    path, queries = asked
    exact = 0
    with suffice.connect(path, progress=False) as con:
        con.sample_always = True
        con.duckdb.execute("SET threads = 1")
        for number, sql in enumerate(queries, start=1):
            result = con.sql(f"{sql} WITHIN 5% CONFIDENCE 95%", seed=number)
            assert result.guarantee is not None
            if result.guarantee.tier == "exact":
                exact += 1
                assert _sorted(result.fetchall()) == _sorted(con.sql(sql).fetchall()), number
            else:
                assert con.audit(result).held, (number, str(result.guarantee))
    assert exact > 0.8 * len(queries)


def _sorted(rows: list[tuple[object, ...]]) -> list[str]:
    return sorted(json.dumps(row, default=str) for row in rows)
