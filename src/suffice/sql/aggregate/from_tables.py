"""The tables of a FROM clause, and how many rows each join can make of one row of the sampled table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from suffice.sql.aggregate.not_sampled import NotSampledError


@dataclass(frozen=True)
class FromTables:
    """Attributes:
    tables: base tables by alias (lower case), in order of appearance.
    columns: their column names by alias.
    sampleable: aliases whose every row counts on its own: all, unless an outer join adds rows where it has none.
    """

    tables: dict[str, exp.Table]
    columns: dict[str, list[str]]
    sampleable: frozenset[str]

    def owner(self, column: exp.Column) -> str | None:
        """Alias of the table a column belongs to; None when that is not clear."""
        if column.table:
            return column.table.lower() if column.table.lower() in self.tables else None
        owners = [a for a, names in self.columns.items() if column.name.lower() in (n.lower() for n in names)]
        return owners[0] if len(owners) == 1 else None

    def named(self, statement: exp.Select, alias: str) -> set[str]:
        """Columns of a table that a statement names, in lower case."""
        return {c.name.lower() for c in statement.find_all(exp.Column) if self.owner(c) == alias}


def from_tables(statement: exp.Select, columns: Callable[[exp.Table], list[str]]) -> FromTables:
    """Read FROM; raises :class:`NotSampledError` for anything but base tables and joins of them."""
    source = statement.args.get("from_")
    if source is None:
        raise NotSampledError("no table to sample")
    joins = statement.args.get("joins") or []
    tables: dict[str, exp.Table] = {}
    sampleable: set[str] = set()
    for node, side in [(source.this, ""), *((j.this, _side(j)) for j in joins)]:
        if not isinstance(node, exp.Table) or not _is_stored(node) or node.args.get("joins"):
            raise NotSampledError(f"{node.sql()[:60]} is not a stored table")
        _require_as_it_lies(node)
        alias = table_alias(node).lower()
        if alias in tables:
            raise NotSampledError(f"{alias} appears twice in FROM")
        tables[alias] = node
        sampleable = {alias} if side == "RIGHT" else sampleable | ({alias} if side != "LEFT" else set())
    return FromTables(tables, {a: columns(t) for a, t in tables.items()}, frozenset(sampleable))


def _require_as_it_lies(node: exp.Table) -> None:
    """Its own rows under its own names; raises :class:`NotSampledError` otherwise."""
    if node.args.get("sample"):
        raise NotSampledError("the query samples on its own (TABLESAMPLE)")
    if node.args.get("alias") and node.args["alias"].columns:
        raise NotSampledError(f"{node.sql('duckdb')[:60]} gives columns other names")
    if others := [clause for clause, value in node.args.items() if value and clause not in _PLAIN]:
        raise NotSampledError(f"{others[0].upper()} of a table in FROM")


_PLAIN = ("this", "db", "catalog", "alias", "joins")


def table_alias(table: exp.Table) -> str:
    """The name columns may be qualified with; made up for a file without one."""
    return str(table.alias_or_name) or "__file"


def table_name_sql(table: exp.Table, dialect: str) -> str:
    """The table as SQL, without its alias."""
    if isinstance(table.this, exp.Identifier):
        return ".".join(part.sql(dialect=dialect) for part in table.parts)
    return str(table.this.sql(dialect=dialect))


def _is_stored(table: exp.Table) -> bool:
    return isinstance(table.this, (exp.Identifier, exp.ReadParquet))


def _side(join: exp.Join) -> str:
    kind, side, method = (str(join.args.get(k) or "").upper() for k in ("kind", "side", "method"))
    if method or kind not in ("", "INNER", "CROSS", "OUTER") or side not in ("", "LEFT", "RIGHT"):
        raise NotSampledError(f"a {' '.join(filter(None, (method, side, kind)))} JOIN")
    return side


def join_rows_max(
    statement: exp.Select, tables: FromTables, sampled: str, key_rows_max: Callable[[exp.Table, tuple[str, ...]], int]
) -> int:
    """The most joined rows that one row of `sampled` can have.

    Args:
        key_rows_max: the most rows of a table with equal values in some columns.
    """
    known = links(statement, tables)
    reached, most = {sampled}, 1
    while len(reached) < len(tables.tables):
        keys = {a: _key(known, a, reached) for a in tables.tables if a not in reached}
        alias = max(keys, key=lambda a: len(keys[a]))
        most *= max(1, key_rows_max(tables.tables[alias], keys[alias]))
        reached.add(alias)
    return most


def links(statement: exp.Select, tables: FromTables) -> list[tuple[str, str, str, str]]:
    """(alias, column, other alias, other column) of every equality that joined rows must satisfy."""
    found = []
    joins = statement.args.get("joins") or []
    conditions = [j.args["on"] for j in joins if j.args.get("on")]
    if any(j.args.get("using") for j in joins):
        raise NotSampledError("JOIN … USING (write ON)")
    if statement.args.get("where"):
        conditions.append(statement.args["where"].this)
    for condition in conditions:
        terms = condition.flatten() if isinstance(condition, exp.And) else [condition]
        for term in (t.unnest() for t in terms):
            if (
                isinstance(term, exp.EQ)
                and isinstance(term.this, exp.Column)
                and isinstance(term.expression, exp.Column)
            ):
                a, b = tables.owner(term.this), tables.owner(term.expression)
                if a and b and a != b:
                    found += [
                        (a, term.this.name, b, term.expression.name),
                        (b, term.expression.name, a, term.this.name),
                    ]
    return found


def _key(links: list[tuple[str, str, str, str]], alias: str, reached: set[str]) -> tuple[str, ...]:
    return tuple(sorted({column for a, column, b, _ in links if a == alias and b in reached}))
