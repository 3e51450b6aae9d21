"""Aggregates over tables within 5% at 95%, ours beside DuckDB's exact run, on TPC-H.

    python bench/tables.py TPCH.duckdb [--seeds 20] [--scramble]

The database is made with ``LOAD tpch; CALL dbgen(sf = 1)``. For each query: tier, share of rows read, CPU and wall time
of both (medians over seeds), and how often an answer missed. ``--scramble`` builds the scramble of lineitem first (it
writes to the database). Prints a table and writes results/tables.json (results/tables_scramble.json).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot

from suffice.answer.aggregate import answer_within
from suffice.answer.target import AggregateGuarantee, Target
from suffice.tables.duckdb import DuckDBEngine
from suffice.tables.scramble import build_scramble

ERROR = 0.05
TARGET = Target(ERROR, weakest_tier="asymptotic")
VOLUME = "l_extendedprice * (1 - l_discount)"
QUERIES = {
    "full sum": "SELECT sum(l_extendedprice * l_discount) AS s FROM lineitem",
    "by flag": f"SELECT l_returnflag, sum({VOLUME}) AS s, avg(l_tax) AS t FROM lineitem GROUP BY 1 ORDER BY 1",
    "Q1": f"SELECT l_returnflag, l_linestatus, sum(l_quantity) AS q, sum(l_extendedprice) AS p, sum({VOLUME}) AS d, "
    f"sum({VOLUME} * (1 + l_tax)) AS c, avg(l_quantity) AS aq, avg(l_extendedprice) AS ap, avg(l_discount) AS ad, "
    "count(*) AS n FROM lineitem WHERE l_shipdate <= DATE '1998-09-02' GROUP BY 1, 2 ORDER BY 1, 2",
    "Q6": "SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= DATE '1994-01-01' AND "
    "l_shipdate < DATE '1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    "Q12": "SELECT l_shipmode, sum(CASE WHEN o_orderpriority IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS high, "
    "sum(CASE WHEN o_orderpriority NOT IN ('1-URGENT', '2-HIGH') THEN 1 ELSE 0 END) AS low FROM orders, lineitem "
    "WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate AND "
    "l_shipdate < l_commitdate AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01' "
    "GROUP BY 1 ORDER BY 1",
    "Q14": f"SELECT 100 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN {VOLUME} ELSE 0 END) / sum({VOLUME}) AS promo "
    "FROM lineitem, part WHERE l_partkey = p_partkey AND l_shipdate >= DATE '1995-09-01' "
    "AND l_shipdate < DATE '1995-10-01'",
    "Q19-like": f"SELECT sum({VOLUME}) AS revenue FROM lineitem, part WHERE p_partkey = l_partkey AND p_size < 16",
}


def timed(run: Callable[[], Any]) -> tuple[Any, float, float]:
    """(result, wall ms, CPU ms)."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = run()
    return result, 1e3 * (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu)


def missed(result: pa.Table, exact: pa.Table, guarantee: AggregateGuarantee) -> bool:
    """Whether some shown aggregate is off by more than the error; a group that is not shown is no miss of this kind."""
    keys = [n for n in exact.column_names if n not in guarantee.intervals]
    truth = {tuple(row[k] for k in keys): row for row in exact.to_pylist()}
    pairs = [(row, truth[tuple(row[k] for k in keys)]) for row in result.to_pylist()]
    return any(abs(float(m[c]) - float(t[c])) > ERROR * abs(float(t[c])) for m, t in pairs for c in guarantee.intervals)


def measure(con: duckdb.DuckDBPyConnection, sql: str, seeds: int) -> dict[str, Any]:
    statement = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(statement, sqlglot.exp.Select)
    exacts = [timed(lambda: con.execute(sql).to_arrow_table()) for _ in range(5)]
    engine = DuckDBEngine(con)
    runs = [timed(lambda s=seed: answer_within(statement, TARGET, engine, s)) for seed in range(seeds)]
    sampled = [g for (_, g), _, _ in runs if g.tier != "exact"]
    return {
        "tiers": dict(Counter(g.tier for (_, g), _, _ in runs)),
        "why_exact": next((g.method for (_, g), _, _ in runs if g.tier == "exact"), None),
        "rows_share": median(g.rows_read / g.rows_total for g in sampled) if sampled else 1.0,
        "missed": sum(missed(r, exacts[0][0], g) for (r, g), _, _ in runs if g.tier != "exact"),
        "seeds": seeds,
        "ours_ms": median(w for _, w, _ in runs),
        "ours_cpu_ms": median(c for _, _, c in runs),
        "exact_ms": median(w for _, w, _ in exacts),
        "exact_cpu_ms": median(c for _, _, c in exacts),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--scramble", action="store_true")
    asked = parser.parse_args()
    con = duckdb.connect(asked.database, read_only=not asked.scramble)
    if asked.scramble:
        build_scramble(con, "lineitem")
    answer_within(sqlglot.parse_one(QUERIES["Q6"]), TARGET, DuckDBEngine(con))  # imports
    results = {name: measure(con, sql, asked.seeds) for name, sql in QUERIES.items()}
    for name, r in results.items():
        ratio = r["exact_cpu_ms"] / r["ours_cpu_ms"]
        print(
            f"{name:9} {r['tiers']} rows {r['rows_share']:.1%} missed {r['missed']}/{r['seeds']} "
            f"cpu {r['ours_cpu_ms']:.0f} / {r['exact_cpu_ms']:.0f} ms = {ratio:.2f}x, "
            f"wall {r['ours_ms']:.0f} / {r['exact_ms']:.0f} ms"
        )
    target = Path(__file__).parent / "results" / ("tables_scramble.json" if asked.scramble else "tables.json")
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps({"error": ERROR, "confidence": 0.95, "queries": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
