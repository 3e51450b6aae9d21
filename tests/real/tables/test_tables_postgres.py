"""WITHIN over a real PostgreSQL server: scrambles, views, permissions, changed tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import suffice

sys.path.insert(0, str(Path(__file__).parents[1]))

from postgres_server import missing, postgres_server

from suffice.errors import SufficeError

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(missing()), reason=missing() or "server")]
ROWS = 300_000


@contextmanager
def opened(target: str) -> Iterator[suffice.Connection]:
    with suffice.connect(target, progress=False) as con:
        con.sample_always = True
        yield con


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    import psycopg

    with postgres_server() as target:
        with psycopg.connect(target, autocommit=True) as server:
            server.execute(
                "CREATE TABLE sales AS SELECT i AS id, (i::bigint * 7919 % 1000)::numeric(9,2) AS price, i % 5 AS kind,"
                f" i % 100 AS shop FROM generate_series(1, {ROWS}) i"
            )
            server.execute(
                "CREATE TABLE shops AS SELECT i AS shop, 'town ' || i % 3 AS town FROM generate_series(0, 99) i"
            )
            server.execute("CREATE VIEW cheap AS SELECT price * 2 AS double_price, kind FROM sales WHERE price < 500")
            server.execute("ANALYZE")
        with suffice.connect(target, progress=False) as con:
            con.scramble("sales")
        yield target


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(price) AS s, count(*) AS n FROM sales WHERE kind < 3",
        "SELECT kind, avg(price) AS a FROM sales GROUP BY kind ORDER BY kind",
        "SELECT kind, sum(double_price) AS s FROM cheap GROUP BY kind ORDER BY kind",
        "SELECT town, sum(price) AS s FROM sales JOIN shops ON sales.shop = shops.shop GROUP BY town ORDER BY town",
    ],
)
def test_a_scramble_in_postgres_answers_within_the_error(dsn: str, sql: str) -> None:
    with opened(dsn) as con:
        result = con.sql(sql + " WITHIN 10%", seed=3)
        assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
        assert result.guarantee.sampled < ROWS / 2
        assert con.audit(result).held
        assert [d[0] for d in result.arrow().schema.names] == [d[0] for d in con.sql(sql).columns]


def test_without_a_scramble_it_is_exact_and_says_what_to_do(dsn: str) -> None:
    with opened(dsn) as con:
        con.sql("CREATE TABLE plain AS SELECT 1 AS x FROM range(1000)")
        result = con.sql("SELECT sum(x) AS s FROM plain WITHIN 5%")
        assert result.guarantee is not None and "suffice scramble plain" in result.guarantee.method
        assert result.fetchall()[0][0] == 1000


def test_a_written_table_is_noticed(dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("CREATE TABLE moving AS SELECT i % 10 AS x FROM generate_series(1, 200000) i")
        server.execute("ANALYZE moving")
    with opened(dsn) as con:
        assert not con.scramble("moving").was_fresh
        assert con.scramble("moving").was_fresh
        assert "finite-sample" in str(con.sql("SELECT sum(x) AS s FROM moving WITHIN 10%", seed=1).guarantee)
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("INSERT INTO moving SELECT 1000 FROM generate_series(1, 50000)")
        server.execute("SELECT pg_stat_force_next_flush()")
        server.execute("SELECT 1")
    with opened(dsn) as con:
        result = con.sql("SELECT sum(x) AS s FROM moving WITHIN 10%", seed=1)
        assert result.guarantee is not None and "written to" in result.guarantee.method
        assert not con.scramble("moving").was_fresh


UNSEEN = {
    "a column that changes its name": (
        "ALTER TABLE turned RENAME COLUMN x TO z",
        "ALTER TABLE turned RENAME COLUMN y TO x",
        "ALTER TABLE turned RENAME COLUMN z TO y",
    ),
    "rows of an heir": (
        "CREATE TABLE heir () INHERITS (turned)",
        "INSERT INTO heir SELECT 1000, 1 FROM generate_series(1, 9)",
    ),
    "rows of a partition": ("INSERT INTO turned SELECT 1000, 1 FROM generate_series(1, 50000)",),
    "rows that the asker may not see": (
        "ALTER TABLE turned ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE turned FORCE ROW LEVEL SECURITY",
        "CREATE POLICY few ON turned USING (x < 3)",
        "CREATE ROLE asker LOGIN",
        "GRANT ALL ON SCHEMA public, suffice TO asker",
        "GRANT ALL ON ALL TABLES IN SCHEMA public, suffice TO asker",
    ),
}


@pytest.mark.parametrize("change", UNSEEN)
def test_what_the_table_itself_does_not_count_is_noticed(dsn: str, change: str) -> None:
    import psycopg

    parts = " PARTITION BY HASH (x)" if "partition" in change else ""
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("DROP TABLE IF EXISTS heir, turned")
        server.execute(f"CREATE TABLE turned (x int, y int){parts}")
        if parts:
            server.execute("CREATE TABLE turned_0 PARTITION OF turned FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
        server.execute("INSERT INTO turned SELECT i % 10, 1000 + i % 10 FROM generate_series(1, 200000) i")
        server.execute("ANALYZE turned")
        server.execute("SELECT pg_stat_force_next_flush()")
    sql = "SELECT sum(x) AS s FROM turned"
    with opened(dsn) as con:
        con.scramble("turned")
        assert "finite-sample" in str(con.sql(f"{sql} WITHIN 10%", seed=1).guarantee)
    with psycopg.connect(dsn, autocommit=True) as server:
        for statement in (*UNSEEN[change], "SELECT pg_stat_force_next_flush()", "SELECT 1"):
            server.execute(statement)
    with opened(dsn.replace("tester@", "asker@") if "asker" in change else dsn) as con:
        result = con.sql(f"{sql} WITHIN 10%", seed=1)
        assert result.guarantee is not None and result.guarantee.tier == "exact", str(result.guarantee)
        assert result.fetchall() == con.sql(sql).fetchall()


def test_a_missing_permission_is_one_line(dsn: str) -> None:
    import psycopg

    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("CREATE ROLE guest LOGIN")
        server.execute("GRANT ALL ON SCHEMA suffice TO guest")
        server.execute("GRANT ALL ON ALL TABLES IN SCHEMA suffice TO guest")
        server.execute('REVOKE ALL ON suffice."scramble_sales" FROM guest')
    guest = dsn.replace("tester@", "guest@")
    with (
        opened(guest) as con,
        pytest.raises(SufficeError, match="permission denied") as refused,
    ):
        con.sql("SELECT sum(price) AS s FROM sales WITHIN 10%")
    assert "\n" not in str(refused.value)
