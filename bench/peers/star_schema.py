"""The Star Schema Benchmark (O'Neil, O'Neil & Chen): its tables with the distributions documented, and its 13 queries.

The fact table comes first in FROM: PilotDB's ``run`` samples the first table there.
"""

from __future__ import annotations

import math

_REGIONS = {
    "AFRICA": ("ALGERIA", "ETHIOPIA", "KENYA", "MOROCCO", "MOZAMBIQUE"),
    "AMERICA": ("ARGENTINA", "BRAZIL", "CANADA", "PERU", "UNITED STATES"),
    "ASIA": ("CHINA", "INDIA", "INDONESIA", "JAPAN", "VIETNAM"),
    "EUROPE": ("FRANCE", "GERMANY", "ROMANIA", "RUSSIA", "UNITED KINGDOM"),
    "MIDDLE EAST": ("EGYPT", "IRAN", "IRAQ", "JORDAN", "SAUDI ARABIA"),
}
_NATIONS = [(nation, region) for region, nations in _REGIONS.items() for nation in nations]


def tables(scale: float) -> list[str]:
    """Statements that make them; `scale` 1 has six million rows of lineorder."""
    parts = int(200_000 * (1 + math.log2(max(scale, 1))))
    customers, suppliers = int(30_000 * scale), int(2_000 * scale)
    listed = ", ".join(f"({i}, '{nation}', '{region}')" for i, (nation, region) in enumerate(_NATIONS))
    return [
        f"CREATE TABLE nations AS SELECT * FROM (VALUES {listed}) AS n(number, nation, region)",
        *(_people(name, letter, count) for name, letter, count in
          (("customer", "c", customers), ("supplier", "s", suppliers))),
        "CREATE TABLE dates AS SELECT strftime(day, '%Y%m%d')::INT AS d_datekey, year(day)::INT AS d_year,"
        " strftime(day, '%Y%m')::INT AS d_yearmonthnum, strftime(day, '%b%Y') AS d_yearmonth,"
        " (1 + (dayofyear(day) - 1) // 7)::INT AS d_weeknuminyear, range::INT AS d_number"
        " FROM (SELECT range, DATE '1992-01-01' + range::INT AS day FROM range(2557))",
        "CREATE TABLE part AS SELECT p_partkey, 'MFGR#' || m AS p_mfgr, 'MFGR#' || m || c AS p_category,"
        " 'MFGR#' || m || c || b AS p_brand1 FROM (SELECT 1 + range::INT AS p_partkey, 1 + hash(range) % 5 AS m,"
        f" 1 + hash(range + 1) % 5 AS c, 1 + hash(range + 2) % 40 AS b FROM range({parts}))",
        "CREATE TABLE lineorder AS SELECT r AS lo_orderkey, 1 + (hash(r) %"
        f" {customers})::INT AS lo_custkey, 1 + (hash(r + 1) % {parts})::INT AS lo_partkey,"
        f" 1 + (hash(r + 2) % {suppliers})::INT AS lo_suppkey, d_datekey AS lo_orderdate, q AS lo_quantity,"
        " q * price AS lo_extendedprice, disc AS lo_discount, q * price * (100 - disc) // 100 AS lo_revenue,"
        " 6 * price // 10 AS lo_supplycost FROM (SELECT range AS r, 1 + (hash(range + 3) % 50)::INT AS q,"
        " 90000 + (hash(range + 4) % 110000)::INT AS price, (hash(range + 5) % 11)::INT AS disc,"
        f" (hash(range + 6) % 2406)::INT AS day FROM range({int(6_000_000 * scale)})) JOIN dates ON day = d_number",
    ]  # fmt: skip


def _people(name: str, letter: str, count: int) -> str:
    """Cities are the first nine letters of a nation and a digit."""
    return (
        f"CREATE TABLE {name} AS SELECT 1 + range::INT AS {letter}_{name[:4]}key,"
        f" rpad(left(nation, 9), 9, ' ') || hash(range + 9) % 10 AS {letter}_city, nation AS {letter}_nation,"
        f" region AS {letter}_region FROM range({count}) JOIN nations ON hash(range) % 25 = number"
    )


JOINS = [
    "dates(d_year, d_yearmonthnum, d_weeknuminyear, d_yearmonth) ON lo_orderdate = d_datekey",
    "customer(c_city, c_nation, c_region) ON lo_custkey = c_custkey",
    "supplier(s_city, s_nation, s_region) ON lo_suppkey = s_suppkey",
    "part(p_mfgr, p_category, p_brand1) ON lo_partkey = p_partkey",
]
"""What `suffice scramble lineorder --join` is told."""

_DATES = "lo_orderdate = d_datekey"
_PART = f"FROM lineorder, dates, part, supplier WHERE {_DATES} AND lo_partkey = p_partkey AND lo_suppkey = s_suppkey"
_PEOPLE = (
    f"FROM lineorder, customer, supplier, dates WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey AND {_DATES}"
)
_ALL = (
    "FROM lineorder, dates, customer, supplier, part WHERE lo_custkey = c_custkey AND lo_suppkey = s_suppkey"
    f" AND lo_partkey = p_partkey AND {_DATES}"
)
_DISCOUNTED = f"SELECT sum(lo_extendedprice * lo_discount) AS revenue FROM lineorder, dates WHERE {_DATES}"
_BRANDS = "SELECT sum(lo_revenue) AS revenue, d_year, p_brand1 {} GROUP BY d_year, p_brand1 ORDER BY d_year, p_brand1"
_CITIES = "('UNITED KI1', 'UNITED KI5')"


def _between(one: str, other: str, where: str) -> str:
    return (
        f"SELECT {one}, {other}, d_year, sum(lo_revenue) AS revenue {_PEOPLE} AND {where}"
        f" GROUP BY {one}, {other}, d_year ORDER BY d_year, revenue DESC"
    )


def _profit(keys: str, where: str) -> str:
    profit = "sum(lo_revenue - lo_supplycost) AS profit"
    return f"SELECT {keys}, {profit} {_ALL} AND {where} GROUP BY {keys} ORDER BY {keys}"


QUERIES = {
    "Q1.1": f"{_DISCOUNTED} AND d_year = 1993 AND lo_discount BETWEEN 1 AND 3 AND lo_quantity < 25",
    "Q1.2": f"{_DISCOUNTED} AND d_yearmonthnum = 199401 AND lo_discount BETWEEN 4 AND 6"
    " AND lo_quantity BETWEEN 26 AND 35",
    "Q1.3": f"{_DISCOUNTED} AND d_weeknuminyear = 6 AND d_year = 1994 AND lo_discount BETWEEN 5 AND 7"
    " AND lo_quantity BETWEEN 26 AND 35",
    "Q2.1": _BRANDS.format(f"{_PART} AND p_category = 'MFGR#12' AND s_region = 'AMERICA'"),
    "Q2.2": _BRANDS.format(f"{_PART} AND p_brand1 BETWEEN 'MFGR#2221' AND 'MFGR#2228' AND s_region = 'ASIA'"),
    "Q2.3": _BRANDS.format(f"{_PART} AND p_brand1 = 'MFGR#2239' AND s_region = 'EUROPE'"),
    "Q3.1": _between(
        "c_nation", "s_nation", "c_region = 'ASIA' AND s_region = 'ASIA' AND d_year >= 1992 AND d_year <= 1997"
    ),
    "Q3.2": _between(
        "c_city",
        "s_city",
        "c_nation = 'UNITED STATES' AND s_nation = 'UNITED STATES' AND d_year >= 1992 AND d_year <= 1997",
    ),
    "Q3.3": _between(
        "c_city", "s_city", f"c_city IN {_CITIES} AND s_city IN {_CITIES} AND d_year >= 1992 AND d_year <= 1997"
    ),
    "Q3.4": _between("c_city", "s_city", f"c_city IN {_CITIES} AND s_city IN {_CITIES} AND d_yearmonth = 'Dec1997'"),
    "Q4.1": _profit(
        "d_year, c_nation", "c_region = 'AMERICA' AND s_region = 'AMERICA' AND p_mfgr IN ('MFGR#1', 'MFGR#2')"
    ),
    "Q4.2": _profit(
        "d_year, s_nation, p_category",
        "c_region = 'AMERICA' AND s_region = 'AMERICA' AND d_year IN (1997, 1998) AND p_mfgr IN ('MFGR#1', 'MFGR#2')",
    ),
    "Q4.3": _profit(
        "d_year, s_city, p_brand1",
        "c_region = 'AMERICA' AND s_nation = 'UNITED STATES' AND d_year IN (1997, 1998) AND p_category = 'MFGR#14'",
    ),
}
