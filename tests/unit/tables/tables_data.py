"""Tables that the tests of the tables room share."""

from __future__ import annotations

from pathlib import Path

import suffice
from suffice.tables.growing_run import GrowingRun

ROWS = 600_000
TABLES = (
    f"CREATE TABLE t AS SELECT (hash(range) % 1000)::DECIMAL(9, 2) AS x, (hash(range + 1) % 5)::INT AS k, "
    f"(hash(range + 3) % 100)::INT AS d, range // 100000 AS part FROM range({ROWS})",
    "CREATE TABLE dim AS SELECT range::INT AS d, 'n' || range % 2 AS name FROM range(100)",
    "CREATE VIEW v AS SELECT x, x * 2 AS y, k AS kk, d FROM t WHERE k < 4",
    "CREATE VIEW w AS SELECT y + 1 AS z, kk FROM v",
)


def database(folder: Path, *, scrambled: bool = True, name: str = "t.duckdb") -> suffice.Connection:
    """A DuckDB file with the tables, t scrambled."""
    con = suffice.connect(folder / name, progress=False)
    con.sql("SET threads = 2")
    con.sample_always = True
    for statement in TABLES:
        con.sql(statement)
    con.sql("CHECKPOINT")
    if scrambled:
        con.scramble("t")
    return con


def begin_at(run: GrowingRun, position: int) -> None:
    """In place of where the seed said."""
    run._stretches = [(position, run.first + run.units, run._stretches[-1][2])]
