"""Hostile, TPC-H-like and SSB-like questions, and how often intervals miss: each run over a new scramble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import suffice
from suffice.answer.audit import audit

ROWS = 150_000
PILOT = (512, 6144)
U = "((hash(range + 77) % 1000003 + 0.5) / 1000003.0)"
V = "((hash(range * 3 + 5) % 1000003) / 1000003.0)"
NORMAL = f"sqrt(-2 * ln({U})) * cos(2 * pi() * {V})"
POPULATIONS = {
    "uniform": U,
    "lognormal": f"exp(1.2 * {NORMAL})",
    "pareto": f"pow({U}, -1 / 1.5)",
    "spikes": f"CASE WHEN hash(range) % 3000 = 0 THEN 1000.0 ELSE 1 + {U} END",
    "blocks": f"CASE WHEN hash(range // 2048) % 30 = 0 THEN 1000.0 ELSE 1 + {U} END",
    "one_huge": f"CASE WHEN range = 77777 THEN 1e9 ELSE 1 + {U} END",
    "sorted": "range::DOUBLE",
    "signed": f"{NORMAL} * 10 + 8",
    "nulls": f"CASE WHEN hash(range) % 10 < 7 THEN NULL ELSE 5 + {NORMAL} END",
    "integers": "(hash(range + 5) % 20)::INT",
}
QUERIES = {
    **{f"sum of {name}": f"SELECT sum({name}) AS a FROM t" for name in POPULATIONS},
    "mean of few": "SELECT avg(lognormal) AS a, count(*) AS b FROM t WHERE few < 300",
    "clustered keys": "SELECT sum(uniform) AS a, count(*) AS b FROM t WHERE clustered BETWEEN 3 AND 8",
    "tiny groups": "SELECT tiny, count(*) AS a, sum(integers) AS b FROM t GROUP BY tiny ORDER BY tiny",
    "ratio": "SELECT kind, sum(signed) / sum(uniform) AS a, avg(nulls) AS b FROM t GROUP BY kind ORDER BY kind",
    "joined": "SELECT name, sum(uniform * weight) AS a FROM t JOIN d ON t.kind = d.kind GROUP BY name ORDER BY name",
    "quantiles": "SELECT median(lognormal) AS a, quantile_cont(spikes, 0.9) AS b, quantile_disc(pareto, 0.2) AS c"
    " FROM t WHERE few < 800",
    "medians of groups": "SELECT kind, median(nulls) AS a FROM t GROUP BY kind ORDER BY kind",
    "nothing": "SELECT sum(uniform) AS a FROM t WHERE few > 5000",
}


SPREAD = {  # interval arithmetic over several sums
    "stddev": "SELECT stddev(uniform) AS a FROM t",
    "variance": "SELECT var_pop(integers) AS a FROM t",
    "product": "SELECT sum(uniform) * avg(integers) AS a FROM t",
    "correlation": "SELECT corr(uniform, uniform + integers / 40) AS a FROM t",
    "covariance": "SELECT covar_pop(uniform, uniform + integers / 40) AS a FROM t",
}


COLUMNS = ", ".join(f"{sql} AS {name}" for name, sql in POPULATIONS.items())
HOSTILE = (
    f"CREATE TABLE t AS SELECT {COLUMNS}, (hash(range * 7) % 1000)::INT AS few, range // 10000 AS clustered,"
    f" (hash(range * 11) % 4)::INT AS kind, CASE WHEN range < 40 THEN range ELSE -1 END AS tiny FROM range({ROWS})",
    "CREATE TABLE d AS SELECT range AS kind, 'n' || range % 2 AS name, 1 + range AS weight FROM range(4)",
)
# Columns of TPC-H's lineitem and of the star schema's lineorder with their documented distributions (dates as days).
LINEITEM = (
    "CREATE TABLE lineitem AS SELECT 1 + hash(range) % 50 AS l_quantity, (1 + hash(range) % 50)"
    " * (900 + hash(range + 1) % 104100 / 100) AS l_extendedprice, hash(range + 2) % 11 / 100 AS l_discount,"
    " hash(range + 3) % 9 / 100 AS l_tax, 1 + (hash(range + 4) % 2526)::INT AS l_shipdate, (hash(range + 5) % 7)::INT"
    " AS l_mode, CASE WHEN hash(range + 4) % 2526 > 1260 THEN 'N' WHEN hash(range + 6) % 2 = 0 THEN 'A' ELSE 'R' END"
    f" AS l_returnflag, 1 + (hash(range + 7) % 2000)::INT AS l_partkey FROM range({ROWS})",
    "CREATE TABLE part AS SELECT 1 + range::INT AS p_partkey, hash(range) % 6 = 0 AS p_promo FROM range(2000)",
)
LINEORDER = (
    "CREATE TABLE lineorder AS SELECT 1 + hash(range) % 50 AS lo_quantity, (hash(range + 2) % 11)::INT AS lo_discount,"
    " (1 + hash(range) % 50) * (900 + hash(range + 1) % 104100 / 100) AS lo_extendedprice,"
    " (900 + hash(range + 1) % 104100 / 100) * 0.6 AS lo_supplycost, (hash(range + 8) % 2556)::INT AS lo_orderdate,"
    f" (hash(range + 9) % 1000)::INT AS lo_suppkey, (hash(range + 10) % 3000)::INT AS lo_custkey FROM range({ROWS})",
    "CREATE TABLE date AS SELECT range::INT AS d_datekey, 1992 + (range // 366)::INT AS d_year FROM range(2556)",
    "CREATE TABLE supplier AS SELECT range::INT AS s_suppkey, (hash(range) % 5)::INT AS s_region FROM range(1000)",
    "CREATE TABLE customer AS SELECT range::INT AS c_custkey, (hash(range + 1) % 5)::INT AS c_region FROM range(3000)",
)
TPCH = {
    "Q1": "SELECT l_returnflag, sum(l_quantity) AS a, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS b,"
    " avg(l_discount) AS c, count(*) AS d FROM lineitem WHERE l_shipdate <= 2436 GROUP BY l_returnflag ORDER BY 1",
    "Q6": "SELECT sum(l_extendedprice * l_discount) AS a FROM lineitem WHERE l_shipdate BETWEEN 700 AND 1800"
    " AND l_discount BETWEEN 0.03 AND 0.08 AND l_quantity < 30",
    "Q12": "SELECT l_mode, count(*) AS a FROM lineitem WHERE l_shipdate < 2000 GROUP BY l_mode ORDER BY l_mode",
    "Q14": "SELECT 100 * sum(CASE WHEN p_promo THEN l_extendedprice * (1 - l_discount) ELSE 0 END)"
    " / sum(l_extendedprice * (1 - l_discount)) AS a FROM lineitem JOIN part ON l_partkey = p_partkey",
    "Q19": "SELECT sum(l_extendedprice * (1 - l_discount)) AS a FROM lineitem JOIN part ON l_partkey = p_partkey"
    " WHERE p_promo AND l_quantity BETWEEN 5 AND 40",
}
SSB = {
    "Q1.1": "SELECT sum(lo_extendedprice * lo_discount) AS a FROM lineorder JOIN date ON lo_orderdate = d_datekey"
    " WHERE d_year < 1995 AND lo_discount BETWEEN 1 AND 6 AND lo_quantity < 35",
    "Q2.1": "SELECT d_year, sum(lo_extendedprice) AS a FROM lineorder JOIN date ON lo_orderdate = d_datekey"
    " JOIN supplier ON lo_suppkey = s_suppkey WHERE s_region < 3 GROUP BY d_year ORDER BY d_year",
    "Q3.1": "SELECT c_region, s_region, sum(lo_extendedprice) AS a FROM lineorder JOIN customer"
    " ON lo_custkey = c_custkey JOIN supplier ON lo_suppkey = s_suppkey WHERE s_region < 2 AND c_region < 2"
    " GROUP BY 1, 2 ORDER BY 1, 2",
    "Q4.1": "SELECT d_year, sum(lo_extendedprice - lo_supplycost) AS a FROM lineorder JOIN date"
    " ON lo_orderdate = d_datekey GROUP BY d_year ORDER BY d_year",
}


# Both sides hold a key many times, some keys far more often than others; large values go with frequent keys.
MANY = (
    f"CREATE TABLE a AS SELECT (30000 * pow({U}, 1.2))::INT AS k, 20 + (hash(range + 1) % 100)::INT AS x,"
    f" (hash(range + 2) % 3)::INT AS g FROM range({ROWS})",
    f"CREATE TABLE b AS SELECT (30000 * pow({V}, 1.1))::INT AS key, 1 + (hash(range + 3) % 10)::INT AS y,"
    f" (30000 * pow({V}, 1.1))::INT % 7 AS m FROM range({ROWS // 2})",
)
KEYS = {
    "sum": "SELECT sum(x * y) AS a, count(*) AS b FROM a JOIN b ON a.k = b.key",
    "groups": "SELECT g, count(*) AS a FROM a JOIN b ON a.k = b.key GROUP BY g ORDER BY g",
    "mean": "SELECT avg(x) AS a, avg(y) AS b FROM a JOIN b ON a.k = b.key WHERE m > 2",
}


@dataclass(frozen=True)
class Family:
    """Attributes:
    tables: statements that make them.
    drawn: the tables that are scrambled, each with the join key it is ordered by, or None.
    queries: by name.
    error: that is asked for, in percent.
    """

    tables: tuple[str, ...]
    drawn: dict[str, str | None]
    queries: dict[str, str]
    error: int = 10


FAMILIES = {
    "hostile": Family(HOSTILE, {"t": None}, QUERIES),
    "tpch": Family(LINEITEM, {"lineitem": None}, TPCH),
    "ssb": Family(LINEORDER, {"lineorder": None}, SSB),
    "keys": Family(MANY, {"a": "k", "b": "key"}, KEYS),
    "spread": Family(HOSTILE, {"t": None}, SPREAD, 20),
}


@dataclass
class Counts:
    """Of one family, by query."""

    runs: Counter[str] = field(default_factory=Counter)
    sampled: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)


@contextmanager
def cells(folder: Path, family: Family) -> Iterator[suffice.Connection]:
    """The tables, not scrambled yet, on one thread."""
    from suffice.answer.tables import looks, quantile_looks
    from suffice.tables import scramble

    with pytest.MonkeyPatch.context() as patched, suffice.connect(folder / "c.duckdb", progress=False) as con:
        con.sample_always = True
        for module in (looks, quantile_looks, scramble):
            patched.setattr(module, "PILOT", PILOT)
        con.duckdb.execute("SET threads = 1")
        for statement in family.tables:
            con.sql(statement)
        yield con


def played(con: suffice.Connection, family: Family, seeds: Iterable[int], ask: str, draws: int = 1) -> Iterator[Counts]:
    """After each seed, the counts so far: every query with the clause `ask`, over a new scramble every `draws` seeds.

    A run misses when an interval does not hold, or, if it met its target, an error is beyond it.
    """
    counts = Counts()
    truth = {name: con.sql(sql).fetchall() for name, sql in family.queries.items()}
    for number, seed in enumerate(seeds):
        for table, key in family.drawn.items() if number % draws == 0 else ():
            if counts.runs:
                con.drop_scramble(table)
            con.scramble(table, by=key, seed=seed)
        for name, sql in family.queries.items():
            result = con.sql(f"{sql} {ask}", seed=seed)
            guarantee = result.guarantee
            assert guarantee is not None
            counts.runs[name] += 1
            if guarantee.tier != "exact":
                counts.sampled[name] += 1
                error = guarantee.target.get("error_relative_max")
                found = audit(result.columns, result.fetchall(), guarantee.intervals, truth[name], error)
                counts.missed[name] += not found.held
        yield counts
