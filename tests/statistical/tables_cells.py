"""Hostile populations as columns of one table, and how often intervals over them miss: each run a new scramble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import suffice

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
    "spread": "SELECT stddev(uniform) AS a, var_pop(integers) AS b FROM t",
    "joined": "SELECT name, sum(uniform * weight) AS a FROM t JOIN d ON t.kind = d.kind GROUP BY name ORDER BY name",
    "quantiles": "SELECT median(lognormal) AS a, quantile_cont(spikes, 0.9) AS b, quantile_disc(pareto, 0.2) AS c"
    " FROM t WHERE few < 800",
    "medians of groups": "SELECT kind, median(nulls) AS a FROM t GROUP BY kind ORDER BY kind",
    "nothing": "SELECT sum(uniform) AS a FROM t WHERE few > 5000",
}


@contextmanager
def cells(folder: Path) -> Iterator[suffice.Connection]:
    """The table, not scrambled yet, on one thread."""
    from suffice.answer.tables import looks, quantile_looks
    from suffice.tables import scramble

    with pytest.MonkeyPatch.context() as patched, suffice.connect(folder / "c.duckdb", progress=False) as con:
        con.sample_always = True
        for module in (looks, quantile_looks, scramble):
            patched.setattr(module, "PILOT", PILOT)
        con.duckdb.execute("SET threads = 1")
        columns = ", ".join(f"{sql} AS {name}" for name, sql in POPULATIONS.items())
        con.sql(
            f"CREATE TABLE t AS SELECT {columns}, (hash(range * 7) % 1000)::INT AS few, range // 10000 AS clustered,"
            f" (hash(range * 11) % 4)::INT AS kind, CASE WHEN range < 40 THEN range ELSE -1 END AS tiny"
            f" FROM range({ROWS})"
        )
        con.sql("CREATE TABLE d AS SELECT range AS kind, 'n' || range % 2 AS name, 1 + range AS weight FROM range(4)")
        yield con


def misses(con: suffice.Connection, seeds: range, ask: str) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """(runs that missed, runs, runs of the finite-sample tier) by query, over new scrambles; `ask` is the clause.

    A run misses when an interval does not hold, or, if it met its target, an error is beyond it.
    """
    missed: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    sampled: Counter[str] = Counter()
    for seed in seeds:
        if seed > seeds.start:
            con.drop_scramble("t")
        con.scramble("t", seed=seed)
        for name, sql in QUERIES.items():
            result = con.sql(f"{sql} {ask}", seed=seed)
            assert result.guarantee is not None
            runs[name] += 1
            if result.guarantee.tier != "exact":
                sampled[name] += 1
                missed[name] += not con.audit(result).held
    return missed, runs, sampled
