"""How many joined rows one row of the sampled table can make, proved and remembered."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from suffice.sql.aggregate.from_tables import FromTables, join_rows_max, table_alias, table_name_sql
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.store.database import quote
from suffice.tables.key_scramble import fresh_key_copy
from suffice.tables.reader import Reader
from suffice.tables.told import is_told, told

_COUNTED_MOST = 0.01
"""Of all rows, in one table: counting them takes several times what reading them does."""


def fanout(reader: Reader, statement: exp.Select, tables: FromTables, sampled: str, rows: Mapping[str, int]) -> int:
    """The most joined rows of one row of `sampled`; 1 when nothing is joined or every join finds a key.

    Counting reads the other tables' join columns once, until they change; raises :class:`NotSampledError` where
    `rows`, by alias, say that this takes longer than it can save.
    """
    if len(tables.tables) == 1:
        return 1
    most = int(_COUNTED_MOST * sum(rows.values()))

    def rows_max(table: exp.Table, columns: tuple[str, ...]) -> int:
        is_large = not reader.learns and rows[table_alias(table).lower()] > most
        return _rows_max(reader, table_name_sql(table, "duckdb"), columns, is_large)

    return join_rows_max(statement, tables, sampled, rows_max)


def _rows_max(reader: Reader, name_sql: str, columns: tuple[str, ...], is_large: bool) -> int:
    if len(columns) == 1 and (copy := fresh_key_copy(reader, name_sql, columns[0])) is not None:
        return copy.rows_per_key_max
    what = f"rows of a key: {', '.join(columns)}"
    if is_large and not is_told(reader, name_sql, what):
        raise NotSampledError(
            f"the keys of {name_sql} would have to be counted: suffice scramble --join keeps its columns in the copy"
        )
    return int(told(reader, name_sql, what, lambda: _count(reader, name_sql, columns)))


def _count(reader: Reader, name_sql: str, columns: tuple[str, ...]) -> int:
    if not columns:
        return int(reader.rows(f"SELECT count(*) FROM {name_sql}")[0][0])
    names = ", ".join(map(quote, columns))
    ((most,),) = reader.rows(f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {name_sql} GROUP BY {names})")
    return int(most)
