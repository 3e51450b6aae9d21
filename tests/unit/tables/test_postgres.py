"""A real PostgreSQL server in a temporary directory: pages are sampled, a profile is needed, writes undo it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from suffice.answer.aggregate import answer_within
from suffice.answer.target import Target
from suffice.tables.postgres import PostgresEngine

psycopg = pytest.importorskip("psycopg")
BINARIES = sorted(glob("/usr/lib/postgresql/*/bin")) or [str(Path(shutil.which("initdb") or "/none").parent)]
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not Path(BINARIES[-1], "initdb").exists(), reason="no PostgreSQL server installed"),
]


def _run(command: str, *arguments: str) -> None:
    owner = {"user": "postgres"} if os.getuid() == 0 else {}  # the server refuses to run as root
    subprocess.run([f"{BINARIES[-1]}/{command}", *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **owner)  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    base = Path("/tmp") / f"suffice-postgres-{os.getpid()}"  # short: a socket path has at most 107 bytes
    base.mkdir(mode=0o755)
    if os.getuid() == 0:
        shutil.chown(base, "postgres")
    try:
        _run("initdb", "-D", f"{base}/data", "-A", "trust", "-U", "postgres")
        options = f"-k {base} -c listen_addresses='' -c fsync=off"
        _run("pg_ctl", "-D", f"{base}/data", "-l", f"{base}/log", "-o", options, "-w", "start")
        try:
            with psycopg.connect(f"host={base} user=postgres dbname=postgres", autocommit=True) as connection:
                connection.execute(
                    "CREATE TABLE t AS SELECT i % 1000 AS x, i % 3 AS k, (i::bigint * 7919) % 100 AS d "
                    "FROM generate_series(1, 600000) i"
                )
                connection.execute("VACUUM ANALYZE t")
                yield connection
        finally:
            _run("pg_ctl", "-D", f"{base}/data", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(base)


def test_pages_are_sampled_once_profiled_and_until_written(server: Any) -> None:
    sql = "SELECT k, sum(x) AS s, count(*) AS n FROM t WHERE d < 50 GROUP BY k ORDER BY k"
    statement = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(statement, sqlglot.exp.Select)
    engine = PostgresEngine(server)
    exact, guarantee = answer_within(statement, Target(0.1, weakest_tier="asymptotic"), engine)
    assert guarantee.tier == "exact"
    assert "profile" in guarantee.method
    engine.profile("t")
    result, guarantee = answer_within(statement, Target(0.1, weakest_tier="asymptotic"), engine, seed=4)
    assert guarantee.tier == "asymptotic", guarantee.method
    assert guarantee.rows_read < 300_000
    assert result.schema == exact.schema
    for mine, true in zip(result.to_pylist(), exact.to_pylist(), strict=True):
        assert mine["k"] == true["k"]
        assert mine["s"] == pytest.approx(true["s"], rel=0.1)
        assert mine["n"] == pytest.approx(true["n"], rel=0.1)
    again, _ = answer_within(statement, Target(0.1, weakest_tier="asymptotic"), engine, seed=4)
    assert again.equals(result)
    server.execute("INSERT INTO t VALUES (10000000, 1, 1)")
    server.execute("SELECT pg_stat_force_next_flush()")
    _, guarantee = answer_within(statement, Target(0.1, weakest_tier="asymptotic"), engine)
    assert "written to" in guarantee.method
