"""What is kept of tables and views between statements and processes holds for one state of the file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from tables_data import database

import suffice
from suffice.answer.tables import remembered_plans
from suffice.tables import reader

ASKED = "SELECT sum(y) AS s, count(*) AS n FROM w WITHIN 20%"
CHANGES = {
    "another view": "CREATE OR REPLACE VIEW w AS SELECT 3 * x AS y FROM t WHERE d < 40",
    "a view of it": "CREATE OR REPLACE VIEW v AS SELECT 9 * x AS y, x, d, k AS kk FROM t WHERE d >= 50",
    "a table in its place": "DROP VIEW w; CREATE TABLE w AS SELECT 5.0 AS y FROM range(1000)",
    "columns that swap": "ALTER TABLE t RENAME x TO z; ALTER TABLE t RENAME d TO x; ALTER TABLE t RENAME z TO d",
    "fewer rows": "DELETE FROM t WHERE k = 3",
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with database(tmp_path) as con:
        con.sql("CREATE OR REPLACE VIEW w AS SELECT y FROM v WHERE d < 60")
        con.sql(ASKED)
    return tmp_path / "t.duckdb"


def opened(file: Path) -> suffice.Connection:
    """As by another process, which finds only what is kept on disk."""
    reader._KEPT.clear()
    remembered_plans._KNOWN.clear()
    con = suffice.connect(file, progress=False)
    con.sample_always = True
    return con


def test_another_process_asks_less(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    rows = reader.Reader.rows
    monkeypatch.setattr(reader.Reader, "rows", lambda self, sql: asked.append(sql) or rows(self, sql))
    with opened(file) as con:
        con.sql(ASKED)
    asked.clear()
    with opened(file) as con:
        assert con.sql(ASKED).guarantee.tier == "finite-sample"
    assert asked and not [sql for sql in asked if "duckdb_views" in sql or sql.startswith("SELECT count(*)")]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", ["this connection", "another process"])
def test_a_change_is_seen(file: Path, change: str, by: str) -> None:
    con = opened(file)
    con.sql(ASKED)
    if by == "another process":
        con.close()
        with duckdb.connect(str(file)) as other:
            other.execute(CHANGES[change])
        con = opened(file)
    else:
        for statement in CHANGES[change].split(";"):
            con.sql(statement)
    with con:
        result = con.sql(ASKED, seed=3)
        assert con.audit(result).held or result.guarantee.tier == "exact"
        ((low, high),) = result.guarantee.intervals.get("s", [(None, None)])
        ((true, _),) = con.sql(ASKED.removesuffix(" WITHIN 20%")).fetchall()
        assert low is None or low <= true <= high


ODD = """
    CREATE TABLE t AS SELECT (hash(range) % 1000)::DECIMAL(9, 2) AS x,
        ['it''s', 'two\nlines', 'ü "quoted"', '', NULL][1 + range % 5] AS text,
        [DATE '1969-07-20', DATE '0044-03-15', NULL][1 + range % 3] AS day, range % 2 = 0 AS flag,
        [-9223372036854775808, 7, NULL][1 + range % 3]::BIGINT AS number,
        ['a' || chr(0) || 'b', 'a'][1 + range % 2] AS cut FROM range(600000)
"""


@pytest.mark.parametrize("key", ["text", "day", "flag", "number", "x > 500", "cut"])
def test_a_few_rows_written_out_are_those_of_the_statement(tmp_path: Path, key: str) -> None:
    with suffice.connect(tmp_path / "odd.duckdb", progress=False) as con:
        con.sample_always = True
        con.sql(ODD)
        con.scramble("t")
        asked = f"SELECT {key} AS k, sum(x) AS s, avg(x) AS a FROM t GROUP BY 1 ORDER BY s DESC, 1"
        result, exact = con.sql(asked + " WITHIN 10%", seed=1), con.sql(asked)
        assert result.guarantee.tier == "finite-sample", str(result.guarantee)
        assert result.arrow().schema == exact.arrow().schema
        assert {row[0] for row in result.fetchall()} == {row[0] for row in exact.fetchall()}
        assert con.audit(result).held
