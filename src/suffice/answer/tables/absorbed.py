"""A join that a scramble has made already, written as a question over the copy alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp

from suffice.sql.aggregate.from_tables import FromTables, from_tables, links, table_alias, table_name_sql
from suffice.tables.joined_columns import Joined, fresh_joins
from suffice.tables.open_source import rows_of
from suffice.tables.reader import Reader, plain_name
from suffice.tables.scramble import fresh_scramble

KEYS_SHARE_MIN = 0.1
"""Of the copied table's rows, in tables that it does not answer for: with more, keys of the join are better drawn."""


@dataclass(frozen=True)
class Absorbed:
    """Attributes:
    rows, values: of the tables that are read no more, and of them what the statement named.
    """

    statement: exp.Select
    tables: FromTables
    rows: int = 0
    values: int = 0


def absorbed(statement: exp.Select, tables: FromTables, reader: Reader) -> Absorbed:
    """`statement` without the tables whose columns the scramble of another holds; as it is where there are none."""
    where = statement.args.get("where")
    plain = tables.sampleable == tables.tables.keys() and not (where and where.find(exp.Query))
    if len(tables.tables) == 1 or not plain or any(j.args.get("side") for j in statement.args.get("joins") or []):
        return Absorbed(statement, tables)
    for alias, table in tables.tables.items():
        name = table_name_sql(table, "duckdb")
        if (joins := fresh_joins(reader, name)) and fresh_scramble(reader, name) is not None:
            taken = _taken(statement, tables, alias, joins)
            rows = {a: rows_of(reader, table_name_sql(t, "duckdb")) for a, t in tables.tables.items()}
            left = sum(n for a, n in rows.items() if a != alias and a not in taken)
            if not taken or left > KEYS_SHARE_MIN * rows[alias]:
                break
            values = sum(rows[a] * (1 + len(tables.named(statement, a))) for a in taken)
            return Absorbed(*_written(statement, tables, alias, taken), sum(rows[a] for a in taken), values)
    return Absorbed(statement, tables)


def _taken(statement: exp.Select, tables: FromTables, alias: str, joins: list[Joined]) -> dict[str, Joined]:
    """By alias: the tables that the copy of `alias` answers for."""
    places, found = {alias: _plain(tables, alias)}, dict[str, Joined]()
    known = links(statement, tables)
    for joined in joins:  # those that are looked up come before those that look
        for a, key, b, left in known:
            is_it = a not in places and _plain(tables, a) == joined.table and key.lower() == joined.key
            looks_up = places.get(b) == joined.left_table and left.lower() == joined.left
            if is_it and looks_up and tables.named(statement, a) <= {*joined.columns, joined.key}:
                places[a], found[a] = joined.table, joined
    return found


def _plain(tables: FromTables, alias: str) -> str:
    return plain_name(table_name_sql(tables.tables[alias], "duckdb"))


def _written(
    statement: exp.Select, tables: FromTables, alias: str, taken: dict[str, Joined]
) -> tuple[exp.Select, FromTables]:
    table = tables.tables[alias]
    places = {alias: _plain(tables, alias)} | {a: joined.table for a, joined in taken.items()}
    owner_of = {place: a for a, place in places.items()}

    def column(owner: str, name: str) -> exp.Column:
        if owner == alias:
            return exp.column(exp.to_identifier(name), table=exp.to_identifier(table_alias(table), quoted=True))
        joined = taken[owner]
        if name.lower() == joined.key:
            return column(owner_of[joined.left_table], joined.left)
        return column(alias, joined.kept(name))

    def replace(node: exp.Expr) -> exp.Expr:
        owner = tables.owner(node) if isinstance(node, exp.Column) else None
        return column(owner, node.name) if owner in taken else node

    terms = [term for term in _conditions(statement) if not _is_join(term, tables, taken, places)]
    terms += [column(alias, joined.found) for joined in taken.values() if not joined.always_found]
    result = statement.copy()
    others = [node for a, node in tables.tables.items() if a != alias and a not in taken]
    result.set("from_", exp.From(this=table.copy()))
    result.set("joins", [exp.Join(this=node.copy()) for node in others])
    result.set("where", exp.Where(this=exp.and_(*(term.copy() for term in terms))) if terms else None)
    written = result.transform(replace)
    assert isinstance(written, exp.Select)
    kept = [column for joined in taken.values() for column in joined.kept_columns]
    columns = {a: [*names, *(kept if a == alias else [])] for a, names in tables.columns.items()}
    return written, from_tables(written, lambda t: columns[table_alias(t).lower()])


def _conditions(statement: exp.Select) -> Iterator[exp.Expr]:
    clauses = [j.args["on"] for j in statement.args.get("joins") or [] if j.args.get("on")]
    clauses += [statement.args["where"].this] if statement.args.get("where") else []
    for clause in clauses:
        yield from clause.flatten() if isinstance(clause, exp.And) else [clause]


def _is_join(term: exp.Expr, tables: FromTables, taken: dict[str, Joined], places: dict[str, str]) -> bool:
    """Whether `term` is the equality by which a taken table was joined."""
    term = term.unnest()
    if not (isinstance(term, exp.EQ) and isinstance(term.this, exp.Column) and isinstance(term.expression, exp.Column)):
        return False
    for mine, other in ((term.this, term.expression), (term.expression, term.this)):
        joined = taken.get(tables.owner(mine) or "")
        there = places.get(tables.owner(other) or "")
        if joined and mine.name.lower() == joined.key and there == joined.left_table:
            return other.name.lower() == joined.left
    return False
