"""WITHIN over tables in files: folders of Parquet, Delta, Iceberg, and object stores."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

import suffice
from suffice.errors import SufficeError, UsageError

ROWS = 600_000
SALES = f"SELECT (hash(range) % 1000)::DOUBLE AS price, (range % 3)::INT AS shop FROM range({ROWS})"
QUESTION = "SELECT sum(price) AS s FROM {}"
BY_SHOP = "SELECT shop, sum(price) AS s, count(*) AS n FROM {} GROUP BY shop ORDER BY shop"


def written(path: str, sql: str = SALES) -> None:
    with duckdb.connect() as con:
        con.execute("SET threads = 1")
        con.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)")


def asked_within(con: suffice.Connection, table: str) -> None:
    con.sample_always = True
    question = QUESTION.format(table)
    result = con.sql(f"{question} WITHIN 25%", seed=4)
    assert result.guarantee is not None and result.guarantee.tier == "finite-sample", str(result.guarantee)
    assert "row groups" in result.guarantee.details["drawn_from"]
    assert con.audit(result).held and result.work.rows_read < 0.6 * ROWS
    with duckdb.connect() as plain:
        truth = plain.execute(BY_SHOP.format(f"({SALES})")).fetchall()
    assert con.sql(BY_SHOP.format(table)).fetchall() == truth


def test_a_folder_of_folders(tmp_path: Path) -> None:
    (tmp_path / "sales").mkdir()
    for half in (0, 1):
        written(f"{tmp_path}/sales/part-{half}.parquet", f"{SALES} WHERE range % 2 = {half}")
    (tmp_path / "by_shop").mkdir()
    with duckdb.connect() as con:
        con.execute(f"COPY ({SALES}) TO '{tmp_path}/by_shop' (FORMAT parquet, PARTITION_BY shop, OVERWRITE_OR_IGNORE)")
    with suffice.connect(tmp_path, progress=False) as con:
        asked_within(con, "sales")
        con.sample_always = True
        apart = con.sql(f"{BY_SHOP.format('by_shop')} WITHIN 25%")
        assert apart.guarantee is not None and apart.guarantee.tier == "exact"
        assert apart.fetchall() == con.sql(BY_SHOP.format("sales")).fetchall()


def test_a_delta_table(tmp_path: Path) -> None:
    deltalake = pytest.importorskip("deltalake", reason="deltalake is not installed")
    arrow = duckdb.connect().execute(SALES).to_arrow_table()
    place = str(tmp_path / "sales")
    properties = deltalake.WriterProperties(max_row_group_size=2048)
    deltalake.write_deltalake(place, arrow.slice(0, ROWS // 2), writer_properties=properties)
    deltalake.write_deltalake(place, arrow.slice(0, 1000), mode="append", writer_properties=properties)
    deltalake.DeltaTable(place).restore(0)  # the files of version 1 stay, and are none of the table any more
    deltalake.write_deltalake(place, arrow.slice(ROWS // 2), mode="append", writer_properties=properties)
    deltalake.write_deltalake(str(tmp_path / "apart"), arrow.slice(0, 3000), partition_by=["shop"])
    with suffice.connect(tmp_path, progress=False) as con:
        asked_within(con, "sales")
        assert con.sql("SELECT typeof(shop), count(*) FROM apart GROUP BY 1").fetchall() == [("INTEGER", 3000)]


def test_an_iceberg_table(tmp_path: Path) -> None:
    pytest.importorskip("pyiceberg", reason="pyiceberg is not installed")
    pytest.importorskip("sqlalchemy", reason="pyiceberg's catalogue of the test needs sqlalchemy")
    from pyiceberg.catalog.sql import SqlCatalog

    arrow = duckdb.connect().execute(SALES).to_arrow_table()
    catalog = SqlCatalog("c", uri=f"sqlite:///{tmp_path}/c.db", warehouse=f"file://{tmp_path}")
    catalog.create_namespace("shop")
    limit = {"write.parquet.row-group-limit": "2048"}
    tables = {
        name: catalog.create_table(f"shop.{name}", arrow.schema, location=f"file://{tmp_path}/{name}", properties=limit)
        for name in ("sales", "renamed")
    }
    for table in tables.values():
        table.append(arrow.slice(0, ROWS // 2))
        table.append(arrow.slice(ROWS // 2))
    with tables["renamed"].update_schema() as update:
        update.rename_column("price", "cost")
    tables["renamed"].append(arrow.slice(0, 10).rename_columns(["cost", "shop"]))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        con = suffice.connect(tmp_path, progress=False)
    with con:
        assert any("renamed is left out" in str(one.message) for one in told)
        asked_within(con, "sales")
        with pytest.raises(SufficeError, match="renamed"):
            con.sql("SELECT sum(cost) FROM renamed")


@pytest.fixture
def in_memory() -> Iterator[str]:
    import fsspec

    store = fsspec.filesystem("memory")
    yield "memory://lake"
    if store.exists("/lake"):
        store.rm("/lake", recursive=True)


def test_an_object_store(in_memory: str, tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    written(f"{tmp_path}/sales.parquet")
    store.pipe("/lake/sales.parquet", (tmp_path / "sales.parquet").read_bytes())
    with suffice.connect(in_memory, progress=False) as con:
        asked_within(con, "sales")
        with pytest.raises(UsageError, match="kept"):
            con.scramble("sales")
        with suffice.connect(in_memory, roots=[tmp_path / "nothing"], progress=False) as confined:
            assert confined.sql("SELECT count(*) FROM sales").fetchall() == [(ROWS,)]
            with pytest.raises(SufficeError, match=r"sales.parquet"):
                confined.sql(f"SELECT count(*) FROM read_parquet('{tmp_path}/sales.parquet')")
        written(f"{tmp_path}/sales.parquet", "SELECT 1.0 AS price, 1 AS shop FROM range(10)")
        store.pipe("/lake/sales.parquet", (tmp_path / "sales.parquet").read_bytes())
        changed = con.sql("SELECT sum(price) AS s FROM sales WITHIN 5%")
        assert changed.fetchall() == [(10.0,)]
    with pytest.raises(SufficeError, match="nowhere"):
        suffice.connect("memory://nowhere")
