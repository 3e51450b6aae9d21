"""Columns of joined tables, kept in a scramble: a question over the join is then one over the copy alone.

Where no two rows of the other table share the key, each row of the copied table meets one row of it at most, and a
sample of the rows is a sample of the join (join synopses: Acharya, Gibbons, Poosala & Ramaswamy, SIGMOD 1999). The
join is made once, with the copy, and holds for as long as neither table changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from suffice.errors import UsageError, nearest
from suffice.store.database import literal, quote
from suffice.tables.fingerprint import fingerprint
from suffice.tables.reader import Reader, plain_name
from suffice.tables.store_rows import store_rows

_COLUMNS = re.compile(r"^\s*([^()]+?)\s*\(([^()]*)\)(\s+ON\s.*)$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Joined:
    """One table of the join, its names in lower case.

    Attributes:
        table, key: no two rows of `table` have the same `key`.
        columns: of it, that are kept.
        left_table, left: the column that is looked up: of the copied table, or of one joined before.
        fingerprint: of `table`.
        always_found: whether every row of the copy is known to have a row here.
    """

    table: str
    key: str
    columns: tuple[str, ...]
    left_table: str
    left: str
    fingerprint: str
    always_found: bool = False

    @property
    def written(self) -> str:
        """As a user writes it."""
        columns = ", ".join(map(quote, self.columns))
        return f"{table_sql(self.table)}({columns}) ON {quote(self.left)} = {quote(self.key)}"

    def kept(self, column: str) -> str:
        """The name of a column in the copy."""
        return f"{self.left}={self.table}.{column.lower()}"

    @property
    def kept_columns(self) -> list[str]:
        """Names of all that it adds to the copy."""
        return [*map(self.kept, self.columns), self.found]

    @property
    def found(self) -> str:
        """The name of the column that says whether there was a row."""
        return f"{self.left}={self.table}"


@dataclass(frozen=True)
class _Clause:
    """What was written: ``table(columns) ON one = other``; no columns for all."""

    table: str
    columns: tuple[str, ...]
    sides: tuple[str, str]


def joins_of(reader: Reader, name_sql: str, clauses: Sequence[str]) -> list[Joined]:
    """`clauses` looked up; raises :class:`UsageError` for what is no join on a key."""
    known = {plain_name(name_sql): [c.lower() for c in reader.columns(name_sql)]}
    found: list[Joined] = []
    for written in clauses:
        found.append(_joined(reader, known, _parsed(written), written))
        known[found[-1].table] = list(found[-1].columns)
    return found


def joined_sql(name_sql: str, joins: Sequence[Joined], numbered: str) -> str:
    """SELECT over `name_sql` and its joins, a row each of `numbered`, which has the table's rows with a number."""
    place = {plain_name(name_sql): "f"} | {joined.table: f"j{i}" for i, joined in enumerate(joins)}
    items, tables = ["f.*"], [f"({numbered}) f"]
    for joined in joins:
        mine = place[joined.table]
        items += [f"{mine}.{quote(c)} AS {quote(joined.kept(c))}" for c in joined.columns]
        items.append(f"{mine}.{quote(joined.key)} IS NOT NULL AS {quote(joined.found)}")
        left = f"{place[joined.left_table]}.{quote(joined.left)}"
        tables.append(f"LEFT JOIN {table_sql(joined.table)} {mine} ON {left} = {mine}.{quote(joined.key)}")
    return f"SELECT {', '.join(items)} FROM {' '.join(tables)}"


def catalogue_joins(reader: Reader, name: str, copy: str, joins: Sequence[Joined]) -> None:
    """Write down what the scramble of a table has joined, `copy`."""
    table = _catalogue_sql(reader)
    joins = [replace(one, always_found=_is_always_found(reader, copy, one)) for one in joins]
    reader.rows(f"CREATE TABLE IF NOT EXISTS {table} (name VARCHAR, joins VARCHAR)")
    reader.rows(f"DELETE FROM {table} WHERE name = {literal(name)}")
    if joins:
        told = json.dumps([asdict(joined) for joined in joins])
        reader.rows(f"INSERT INTO {table} VALUES ({literal(name)}, {literal(told)})")


def _is_always_found(reader: Reader, copy: str, joined: Joined) -> bool:
    return not reader.rows(f"SELECT 1 FROM {copy} WHERE NOT {quote(joined.found)} LIMIT 1")


def catalogued_joins(reader: Reader, name_sql: str | None) -> list[Joined]:
    """What the scramble of a table has joined, whatever has changed since; None for that of any table."""
    where = "" if name_sql is None else f" WHERE name = {literal(plain_name(name_sql))}"
    rows = store_rows(reader, f"SELECT joins FROM {_catalogue_sql(reader)}{where}")
    return [Joined(**{**one, "columns": tuple(one["columns"])}) for (told,) in rows for one in json.loads(told)]


def fresh_joins(reader: Reader, name_sql: str) -> list[Joined]:
    """Those whose tables, and whose columns looked up, are what they were."""
    fresh = {plain_name(name_sql)}
    found = []
    for joined in catalogued_joins(reader, name_sql):
        if joined.left_table in fresh and fingerprint(reader, table_sql(joined.table)) == joined.fingerprint:
            fresh.add(joined.table)
            found.append(joined)
    return found


def _catalogue_sql(reader: Reader) -> str:
    return f"{reader.database.schema}.scramble_joins"


def table_sql(plain: str) -> str:
    """The table of a catalogued name."""
    return ".".join(map(quote, plain.split(".")))


def _parsed(written: str) -> _Clause:
    import sqlglot
    from sqlglot import exp

    listed = _COLUMNS.match(written)
    plain = f"{listed[1]}{listed[3]}" if listed else written
    columns = tuple(c.strip().strip('"').lower() for c in listed[2].split(",")) if listed else ()
    try:
        join = sqlglot.parse_one(f"SELECT 1 FROM t JOIN {plain}", dialect="duckdb").args["joins"][0]
    except (sqlglot.errors.SqlglotError, KeyError, IndexError):
        join = None
    on = join.args.get("on") if join is not None else None
    if not (isinstance(on, exp.EQ) and isinstance(on.this, exp.Column) and isinstance(on.expression, exp.Column)):
        raise UsageError(f"{written!r} is no join on a key: write table(column, …) ON column = key")
    assert join is not None
    return _Clause(join.this.sql("duckdb"), columns, (on.this.name.lower(), on.expression.name.lower()))


def _joined(reader: Reader, known: dict[str, list[str]], clause: _Clause, written: str) -> Joined:
    name, there = plain_name(clause.table), [c.lower() for c in reader.columns(clause.table)]
    if name in known:
        raise UsageError(f"{name} is in the scramble already")
    for key, left in (clause.sides[::-1], clause.sides):
        owner = next((table for table, columns in known.items() if left in columns), None)
        if key in there and owner is not None:
            break
    else:
        raise UsageError(f"{written!r}: {' = '.join(clause.sides)} joins no column of {', '.join(known)} with {name}")
    for column in clause.columns:
        if column not in there:
            raise UsageError(f"{name} has no column {column}{nearest(column, there)}")
    _require_unique(reader, clause.table, key)
    return Joined(name, key, clause.columns or tuple(there), owner, left, fingerprint(reader, clause.table))


def _require_unique(reader: Reader, table: str, key: str) -> None:
    column = quote(key)
    ((rows, different),) = reader.rows(f"SELECT count({column}), count(DISTINCT {column}) FROM {table}")
    if rows != different:
        raise UsageError(f"{table} holds a {key} more than once: scramble both tables BY the key they are joined on")
