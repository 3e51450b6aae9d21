"""How many joined rows one row of the sampled table can make, proved and remembered."""

from __future__ import annotations

from sqlglot import exp

from suffice.sql.aggregate.from_tables import FromTables, join_rows_max, table_name_sql
from suffice.store.database import quote
from suffice.tables.key_scramble import fresh_key_copy
from suffice.tables.reader import Reader
from suffice.tables.told import told


def fanout(reader: Reader, statement: exp.Select, tables: FromTables, sampled: str) -> int:
    """The most joined rows of one row of `sampled`; 1 when nothing is joined or every join finds a key.

    Counting reads the other tables' join columns once, until they change.
    """
    if len(tables.tables) == 1:
        return 1
    return join_rows_max(
        statement, tables, sampled, lambda table, columns: _rows_max(reader, table_name_sql(table, "duckdb"), columns)
    )


def _rows_max(reader: Reader, name_sql: str, columns: tuple[str, ...]) -> int:
    if len(columns) == 1 and (copy := fresh_key_copy(reader, name_sql, columns[0])) is not None:
        return copy.rows_per_key_max
    what = f"rows of a key: {', '.join(columns)}"
    return int(told(reader, name_sql, what, lambda: _count(reader, name_sql, columns)))


def _count(reader: Reader, name_sql: str, columns: tuple[str, ...]) -> int:
    if not columns:
        return int(reader.rows(f"SELECT count(*) FROM {name_sql}")[0][0])
    names = ", ".join(map(quote, columns))
    ((most,),) = reader.rows(f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {name_sql} GROUP BY {names})")
    return int(most)
