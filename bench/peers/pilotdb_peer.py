"""PilotDB's own code (github.com/uiuc-kang-lab/PilotDB) on a DuckDB file: the rate it chooses, its answer and its time.

    python pilotdb_peer.py CHECKOUT DATABASE RUNS < queries.json      # {name: sql}; prints {name: {...}}

Runs in an environment of its own (duckdb of the same version, sqlglot 26.30.0, numpy, pandas, scipy, pyyaml,
psycopg2-binary). pyodbc, which only its SQL Server driver needs, is stood in for by an empty module. Nothing of
PilotDB is changed; its function for the final rate is listened to.
"""

from __future__ import annotations

import json
import logging
import sys
import time
import types
from typing import Any

sys.modules["pyodbc"] = types.ModuleType("pyodbc")
checkout, database, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, checkout)
logging.disable(logging.CRITICAL)

import pilotdb  # noqa: E402
from pilotdb import execute  # noqa: E402

RATES: list[float] = []
SCANNED: list[str] = []
estimate, ask = execute.estimate_final_rate, execute.execute_query


def listened(*arguments: Any, **named: Any) -> float:
    RATES.append(float(estimate(*arguments, **named)))
    return RATES[-1]


def noted(connection: Any, query: str, dbms: str) -> Any:
    SCANNED.append(query)
    return ask(connection, query, dbms)


execute.estimate_final_rate, execute.execute_query = listened, noted


def used(rate: float) -> float:
    """As `pilotdb.run` uses it on DuckDB: exact above 75% or without a solution, at least the pilot's 0.05%."""
    return 1.0 if rate == -1 or rate > 0.75 else max(rate, 0.0005)


def asked(connection: Any, sql: str) -> dict[str, Any]:
    RATES.clear()
    SCANNED.clear()
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        rows = pilotdb.run(connection, query=sql, error=0.05, probability=0.05)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"[:200]}
    taken = {"cpu_ms": 1e3 * (time.process_time() - cpu), "ms": 1e3 * (time.perf_counter() - wall)}
    sampled = SCANNED[-1].split("TABLESAMPLE")[0].split()[-3:] if "TABLESAMPLE" in SCANNED[-1] else []
    values = [[str(value) for value in row] for row in rows.itertuples(index=False)]
    return {**taken, "rate": used(RATES[-1]), "rate_asked": RATES[-1], "sampled": " ".join(sampled), "rows": values}


def main() -> None:
    connection = pilotdb.connect("duckdb", {"dbms": "duckdb", "path": database})
    found = {}
    for name, sql in json.load(sys.stdin).items():
        found[name] = [asked(connection, sql) for _ in range(runs)]
        print(name, {k: v for k, v in found[name][-1].items() if k != "rows"}, file=sys.stderr)
    pilotdb.close(connection)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
