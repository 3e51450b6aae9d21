"""Python functions of the user inside queries over models: seen in batches, before the models where they spare them."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from arithmetic import arithmetic

import suffice

Setting = tuple[suffice.Connection, Counter[str], list[int]]
"""A connection, what its models were paid, and how many values each call of ``twice`` had."""


@pytest.fixture
def setting() -> Setting:
    con, paid = arithmetic()
    batches: list[int] = []

    def twice(values: pa.Array) -> pa.Array:
        batches.append(len(values))
        return pc.multiply(values, 2)

    con.duckdb.create_function("twice", twice, ["BIGINT"], "BIGINT", type="arrow")
    return con, paid, batches


def test_beside_around_and_inside_a_model(setting: Setting) -> None:
    con, *_ = setting
    rows = con.sql("SELECT id, twice(third(x)) AS a, third(twice(x)) AS b FROM t WHERE id < 8 ORDER BY id").fetchall()
    assert rows == [(i, 2 * ((i * 7 % 13) // 3), (2 * (i * 7 % 13)) // 3) for i in range(8)]


def test_it_runs_before_the_model_it_spares(setting: Setting) -> None:
    con, paid, _ = setting
    rows = con.sql("SELECT id FROM t WHERE even(x) AND twice(id) < 10").fetchall()
    assert sorted(rows) == [(i,) for i in range(5) if i * 7 % 13 % 2 == 0]
    assert paid["even"] <= 5


def test_it_sees_columns_not_values(setting: Setting) -> None:
    con, _, batches = setting
    con.duckdb.execute("CREATE TABLE many AS SELECT i AS n, i % 9 AS x FROM range(5000) r(i)")
    con.sql("SELECT sum(twice(n)) FROM many WHERE third(x) = 1")
    assert max(batches) > 300 and len(batches) <= 8


def test_a_python_function_as_a_model_sees_batches() -> None:
    sizes: list[int] = []

    @suffice.model(batch_size=16, batch=True)
    def plus_one(x: list[int]) -> list[int]:
        sizes.append(len(x))
        return [value + 1 for value in x]

    con = suffice.connect()
    con.register("plus_one", plus_one)
    assert con.sql("SELECT sum(plus_one(i)) FROM range(64) r(i)").fetchall() == [(64 * 65 // 2,)]
    assert max(sizes) == 16 and sum(sizes) == 64


def test_one_that_raises_is_one_line_and_keeps_what_was_paid(setting: Setting) -> None:
    con, *_ = setting

    def bad(value: int) -> int:
        raise ValueError("no such thing")

    con.duckdb.create_function("bad", bad, ["BIGINT"], "BIGINT")
    with pytest.raises(suffice.SufficeError, match="no such thing") as caught:
        con.sql("SELECT bad(third(x)) FROM t")
    assert "\n" not in str(caught.value)
    assert con.sql("SELECT third(x) FROM t").work.model_calls["third"].done == 0
