"""Parquet tables in an S3-compatible store: a real server on this machine, spoken to over HTTP by s3fs."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

from object_server import missing, object_server

import suffice
from suffice.errors import UsageError

pytestmark = [pytest.mark.server, pytest.mark.skipif(bool(missing()), reason=missing())]

ROWS = 400_000


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A bucket with one table of 196 row groups."""
    import duckdb
    import s3fs

    file = tmp_path_factory.mktemp("s3") / "sales.parquet"
    duckdb.execute(
        f"COPY (SELECT (hash(range) % 1000) / 10 AS price, (hash(range + 1) % 4)::INT AS shop FROM range({ROWS}))"
        f" TO '{file}' (ROW_GROUP_SIZE 2048)"
    )
    with object_server() as environment, pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        store = s3fs.S3FileSystem()
        store.mkdir("lake")
        store.pipe("lake/town/sales.parquet", file.read_bytes())
        yield "s3://lake/town"


def test_row_groups_are_drawn_from_the_bucket(bucket: str) -> None:
    with suffice.connect(bucket, progress=False) as con:
        con.sample_always = True
        result = con.sql("SELECT sum(price) AS s, avg(price) AS a FROM sales WITHIN 20%", seed=1)
        assert result.guarantee is not None and result.guarantee.tier == "finite-sample"
        assert result.guarantee.details["drawn_from"] == "row groups of Parquet files"
        assert result.work.rows_read < ROWS
        assert con.audit(result).held
        with pytest.raises(UsageError, match="kept"):
            con.scramble("sales")


def test_a_written_object_is_noticed(bucket: str) -> None:
    import pyarrow.parquet as pq
    import s3fs

    with suffice.connect(bucket, progress=False) as con:
        assert con.sql("SELECT count(*) AS n FROM sales WITHIN 5%").fetchall() == [(ROWS,)]
        store = s3fs.S3FileSystem()
        whole = store.cat("lake/town/sales.parquet")
        try:
            some = io.BytesIO()
            pq.write_table(pq.read_table(io.BytesIO(whole)).slice(0, 10), some)
            store.pipe("lake/town/sales.parquet", some.getvalue())
            assert con.sql("SELECT count(*) AS n FROM sales WITHIN 5%").fetchall() == [(10,)]
        finally:
            store.pipe("lake/town/sales.parquet", whole)


def test_from_the_command_line(bucket: str) -> None:
    command = [sys.executable, "-m", "suffice", "sql", "SELECT sum(price) AS s FROM sales WITHIN 20%"]
    asked = subprocess.run(
        [*command, "--db", bucket, "--sample", "--seed", "3", "--json"],
        capture_output=True,
        text=True,
        env=dict(os.environ),
        check=False,
    )
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout)["guarantee"]["tier"] == "finite-sample"
