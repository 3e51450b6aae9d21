"""The query over drawn rows as Spark, SQL Server, MySQL and Trino would receive it (others: test_sql_aggregate.py)."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from suffice.sql.aggregate.decompose import decompose
from suffice.sql.aggregate.unit_query import SAMPLED, unit_query

SUMS = (
    "SELECT __part, __k0, COUNT(*) AS __m, SUM(__u0) AS __s0, MIN(__u0) AS __l0, MAX(__u0) AS __h0,"
    " SUM(__u0 * __u0) AS __q0_0 FROM"
)
INNER = (
    " (SELECT t.__part AS __part, t.k AS __k0, COALESCE(CAST(t.x AS {double}), CAST(0 AS {double})) AS __u0"
    " FROM __suffice_drawn_rows AS t WHERE t.d < 50) AS units GROUP BY __part, __k0 ORDER BY __part, __k0"
)
GOLDEN = {
    "spark": SUMS + INNER.format(double="DOUBLE"),
    "tsql": SUMS + INNER.format(double="FLOAT"),
    "mysql": SUMS + INNER.format(double="DOUBLE"),
    "trino": SUMS + INNER.format(double="DOUBLE"),
}


def drawn_query(dialect: str) -> str:
    statement = sqlglot.parse_one("SELECT t.k, sum(t.x) AS s FROM t WHERE t.d < 50 GROUP BY t.k", dialect="duckdb")
    assert isinstance(statement, exp.Select)
    table = statement.find(exp.Table)
    assert table is not None
    table.meta[SAMPLED] = True
    return unit_query(statement, decompose(statement), table, [(0, 0)], rows_are_units=True).sql(dialect)


@pytest.mark.parametrize("dialect", GOLDEN)
def test_the_drawn_query(dialect: str) -> None:
    query = drawn_query(dialect)
    assert query == GOLDEN[dialect]
    assert sqlglot.parse_one(query, dialect=dialect).sql(dialect) == query


def test_one_table_has_one_name_in_snowflake() -> None:
    tree = sqlglot.parse_one(drawn_query("snowflake"), dialect="snowflake")
    (alias,) = {table.args["alias"].this for table in tree.find_all(exp.Table)}
    named = [column.args["table"] for column in tree.find_all(exp.Column) if column.table]
    assert named and all(one.quoted == alias.quoted for one in named)
