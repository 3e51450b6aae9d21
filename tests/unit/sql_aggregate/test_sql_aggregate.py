"""Statements taken apart, and the drawn query written for other databases."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from suffice.sql.aggregate.decompose import decompose
from suffice.sql.aggregate.narrowed import narrowed
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.unit_query import SAMPLED, unit_query
from suffice.sql.aggregate.value_range import value_range


def select(sql: str) -> exp.Select:
    tree = sqlglot.parse_one(sql, dialect="duckdb")
    assert isinstance(tree, exp.Select)
    return tree


GOLDEN = {
    "duckdb": "SELECT __part, __k0, COUNT(*) AS __m, SUM(__u0) AS __s0, MIN(__u0) AS __l0, MAX(__u0) AS __h0, "
    "SUM(__u0 * __u0) AS __q0_0 FROM (SELECT t.__part AS __part, t.k AS __k0, COALESCE(CAST(t.x AS DOUBLE), "
    "CAST(0 AS DOUBLE)) AS __u0 FROM __suffice_drawn_rows AS t WHERE t.d < 50) AS units GROUP BY __part, __k0"
    " ORDER BY __part, __k0",
    "postgres": "SELECT __part, __k0, COUNT(*) AS __m, SUM(__u0) AS __s0, MIN(__u0) AS __l0, MAX(__u0) AS __h0, "
    "SUM(__u0 * __u0) AS __q0_0 FROM (SELECT t.__part AS __part, t.k AS __k0, COALESCE(CAST(t.x AS DOUBLE "
    "PRECISION), CAST(0 AS DOUBLE PRECISION)) AS __u0 FROM __suffice_drawn_rows AS t WHERE t.d < 50) AS units "
    "GROUP BY __part, __k0 ORDER BY __part, __k0",
    "clickhouse": "SELECT __part, __k0, COUNT(*) AS __m, SUM(__u0) AS __s0, MIN(__u0) AS __l0, MAX(__u0) AS __h0, "
    "SUM(__u0 * __u0) AS __q0_0 FROM (SELECT t.__part AS __part, t.k AS __k0, COALESCE(CAST(t.x AS "
    "Nullable(Float64)), CAST(0 AS Nullable(Float64))) AS __u0 FROM __suffice_drawn_rows AS t WHERE t.d < 50) AS "
    "units GROUP BY __part, __k0 ORDER BY __part, __k0",
    "bigquery": "SELECT __part, __k0, COUNT(*) AS __m, SUM(__u0) AS __s0, MIN(__u0) AS __l0, MAX(__u0) AS __h0, "
    "SUM(__u0 * __u0) AS __q0_0 FROM (SELECT t.__part AS __part, t.k AS __k0, COALESCE(CAST(t.x AS FLOAT64), "
    "CAST(0 AS FLOAT64)) AS __u0 FROM __suffice_drawn_rows AS t WHERE t.d < 50) AS units GROUP BY __part, __k0"
    " ORDER BY __part, __k0",
}


@pytest.mark.parametrize("dialect", GOLDEN)
def test_the_drawn_query_in_other_dialects(dialect: str) -> None:
    statement = select("SELECT t.k, sum(t.x) AS s FROM t WHERE t.d < 50 GROUP BY t.k")
    table = statement.find(exp.Table)
    assert table is not None
    table.meta[SAMPLED] = True
    query = unit_query(statement, decompose(statement), table, [(0, 0)], rows_are_units=True)
    assert query.sql(dialect) == GOLDEN[dialect]


REFUSED = {
    "SELECT sum(DISTINCT x) FROM t": "DISTINCT",
    "SELECT median(x) FROM t": "MEDIAN",
    "SELECT k, x, sum(x) FROM t GROUP BY k": "neither",
    "SELECT sum(x) FROM t QUALIFY row_number() OVER () = 1": "QUALIFY",
    "SELECT sum(x) FROM t OFFSET 1": "OFFSET",
    "SELECT sum(nextval('s')) FROM t": "NEXTVAL",
    "SELECT round(sum(x)) FROM t": "ROUND",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_what_is_not_on_the_list_is_refused(sql: str) -> None:
    with pytest.raises(NotSampledError, match=REFUSED[sql]):
        decompose(select(sql))


RANGES = {
    "a * (1 - b)": (0.0, 10.0),
    "a - b": (-1.0, 10.0),
    "a * a": (0.0, 100.0),
    "abs(a - 5)": (0.0, 5.0),
    "CASE WHEN a > 3 THEN b ELSE -a END": (-10.0, 1.0),
    "CASE WHEN a > 3 THEN b END": (0.0, 1.0),
    "a / (b + 1)": (0.0, 10.0),
    "a / b": None,
    "coalesce(a, -2)": (-2.0, 10.0),
    "CAST(b AS BIGINT)": (0.0, 1.0),
    "unknown + a": None,
    "length(name)": None,
}


@pytest.mark.parametrize("sql", RANGES)
def test_ranges_are_sound(sql: str) -> None:
    known = {"a": (0.0, 10.0), "b": (0.0, 1.0)}
    expression = sqlglot.parse_one(sql, dialect="duckdb")
    assert value_range(expression, lambda column: known.get(column.name)) == RANGES[sql]


def test_conditions_narrow_ranges() -> None:
    where = sqlglot.parse_one("a BETWEEN 2 AND 4 AND 0.5 <= b AND (c > 1 OR a < 3) AND NOT b > 3 AND a <> 3", "duckdb")
    of = narrowed(lambda column: (0.0, 10.0), where)
    assert of(exp.column("a")) == (2.0, 4.0)
    assert of(exp.column("b")) == (0.5, 10.0)
    assert of(exp.column("c")) == (0.0, 10.0)
    assert of(exp.column("a", table="other")) == (0.0, 10.0)
