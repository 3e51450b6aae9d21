"""WITHIN over ClickHouse tables in a folder (chdb): what is shown, scrambles, changed tables, bad requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import suffice
from suffice.errors import SufficeError

pytest.importorskip("chdb", reason="chdb is not installed")

ROWS = 200_000
TABLES = (
    "CREATE DATABASE shop",
    "CREATE TABLE shop.Sales (id UInt64, price Nullable(Decimal(9, 2)), kind Int32, moment DateTime('Asia/Tokyo'),"
    " pieces Float64, tag LowCardinality(String), size Enum8('s' = 1, 'l' = 2)) ENGINE MergeTree"
    " ORDER BY id",
    "INSERT INTO shop.Sales SELECT number, if(number % 11 = 0, NULL, number * 7919 % 1000), number % 5,"
    " toDateTime('2024-01-01 00:00:00', 'Asia/Tokyo') + number,"
    " if(cityHash64(number) % 3000 = 0, 5000, 1 + number % 5),"
    f" 'odd \"tag\"', 's' FROM numbers({ROWS})",
    "CREATE TABLE shop.kinds ENGINE MergeTree ORDER BY kind AS"
    " SELECT toInt32(number) AS kind, concat('k', toString(number % 2)) AS name FROM numbers(5)",
    "CREATE TABLE shop.log (x Int32) ENGINE Log",
    "INSERT INTO shop.log SELECT number FROM numbers(100)",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("clickhouse")
    with server(made) as clickhouse:
        for statement in TABLES:
            clickhouse.query(statement)
    with asked(made) as con:
        assert con.scramble("sales").known.certain > 20
    return made


def server(folder: Path) -> Any:
    from chdb.state.sqlitelike import Connection

    return Connection(str(folder))


def asked(folder: Path) -> suffice.Connection:
    con = suffice.connect(f"chdb://{folder}?database=shop", progress=False)
    con.sample_always = True
    return con


@pytest.fixture
def con(folder: Path) -> Iterator[suffice.Connection]:
    with asked(folder) as connection:
        yield connection


def test_tables_are_seen_as_they_are(con: suffice.Connection) -> None:
    row = con.sql("SELECT count(*), count(price), sum(price), min(moment), any_value(tag), any_value(size) FROM sales")
    known = sum(Decimal(n * 7919 % 1000) for n in range(ROWS) if n % 11)
    ((count, present, total, first, tag, size),) = row.fetchall()
    assert (count, present, total) == (ROWS, ROWS - len(range(0, ROWS, 11)), known)
    assert (str(first), tag, size) == ("2024-01-01 00:00:00", 'odd "tag"', "s")
    some = con.sql("SELECT id FROM sales s JOIN kinds k ON s.kind = k.kind WHERE id > 5 AND name = 'k0' ORDER BY 1")
    assert some.fetchall()[:3] == [(7,), (9,), (10,)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT sum(price) AS s, count(*) AS n FROM sales WHERE kind < 3",
        "SELECT kind, sum(pieces) AS s FROM sales GROUP BY kind ORDER BY kind",
        "SELECT name, avg(price) AS a FROM sales JOIN kinds ON sales.kind = kinds.kind GROUP BY name ORDER BY name",
        "SELECT count(*) AS n FROM sales WHERE moment < TIMESTAMP '2024-01-03' AND tag LIKE 'odd%'",
    ],
)
def test_a_scramble_in_clickhouse_answers_within_the_error(con: suffice.Connection, sql: str) -> None:
    result = con.sql(sql + " WITHIN 12%", seed=3)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
    assert result.guarantee.sampled < ROWS / 2
    assert con.audit(result).held
    again = con.sql(sql + " WITHIN 12%", seed=3)
    assert again.fetchall() == result.fetchall()


def test_a_sample_reads_its_share_of_the_granules(folder: Path, con: suffice.Connection) -> None:
    from suffice.store.clickhouse import ClickHouse
    from suffice.tables.clickhouse_tables import copy_name

    clickhouse = ClickHouse(str(folder), "shop")
    con.sql("SELECT sum(price) AS s FROM sales WHERE kind < 3 WITHIN 12%", seed=3)
    plan = clickhouse.rows(f"EXPLAIN indexes = 1 SELECT sum(price) FROM {copy_name('sales')} WHERE __sid < 30000")
    *_, granules = [line.strip() for (line,) in plan if "Granules" in line]
    read, total = map(int, granules.removeprefix("Granules: ").split("/"))
    assert read <= 5 < total
    clickhouse.close()


def test_a_written_table_is_noticed(folder: Path, con: suffice.Connection) -> None:
    question = "SELECT sum(price) AS s FROM sales WITHIN 20%"
    clickhouse = server(folder)
    clickhouse.query("OPTIMIZE TABLE shop.Sales FINAL")  # merges change no row
    assert con.scramble("sales").was_fresh
    for change in (
        "INSERT INTO shop.Sales SELECT number, 5, 1, now(), 1, '', 'l' FROM numbers(10)",
        "ALTER TABLE shop.Sales DELETE WHERE id = 7 SETTINGS mutations_sync = 1",
        "DELETE FROM shop.Sales WHERE id = 8",
    ):
        assert "within" in str(con.sql(question, seed=1).guarantee)
        clickhouse.query(change)
        stale = con.sql(question, seed=1)
        assert stale.guarantee is not None and "written to" in stale.guarantee.method
        assert stale.fetchall() == con.sql("SELECT sum(price) AS s FROM sales").fetchall()
        assert not con.scramble("sales").was_fresh
    clickhouse.close()


def test_an_interrupted_scramble_leaves_what_was_there(
    folder: Path, con: suffice.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from suffice.tables import build_scramble

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    question = "SELECT avg(kind) AS a FROM kinds WITHIN 20%"
    with monkeypatch.context() as patched:
        patched.setattr(build_scramble, "_catalogue", interrupted)
        with pytest.raises(KeyboardInterrupt):
            con.scramble("kinds")
    assert "suffice scramble kinds" in str(con.sql(question).guarantee)
    assert not con.scramble("kinds").was_fresh
    con.drop_scramble("kinds")


def test_what_cannot_be_done_is_one_line(folder: Path, con: suffice.Connection) -> None:
    with pytest.raises(SufficeError, match="Log table"):
        con.scramble("log")
    assert con.sql("SELECT sum(x) AS s FROM log WITHIN 5%").fetchall() == [(4950,)]
    with pytest.raises(SufficeError, match="one folder a process"):
        suffice.connect(f"chdb://{folder}_other")
    with pytest.raises(SufficeError, match=r"it has .*shop"):
        suffice.connect(f"chdb://{folder}?database=nosuch")
    with pytest.raises(SufficeError, match="nosuch"):
        con.sql("SELECT sum(nosuch) FROM sales WITHIN 5%")


def test_from_the_command_line(folder: Path) -> None:
    command = [
        "sql",
        "SELECT sum(pieces) AS s FROM sales WITHIN 5% CONFIDENCE 95%",
        "--sample",
        "--seed",
        "1",
        "--json",
    ]
    target = ["--db", f"chdb://{folder}?database=shop"]
    done = subprocess.run(
        [sys.executable, "-m", "suffice", *command, *target], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["guarantee"]["tier"] == "finite-sample"
    ((low, high),) = answer["guarantee"]["intervals"]["s"]
    assert low <= answer["rows"][0][0] <= high
