"""What is drawn from: a statement written out over base tables, and the one of them whose rows are sampled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from suffice.answer.tables.absorbed import KEYS_SHARE_MIN, Absorbed, absorbed
from suffice.answer.tables.session import require_own_tables
from suffice.sql.aggregate.clear_names import require_clear_names
from suffice.sql.aggregate.constant_subqueries import constant_subqueries
from suffice.sql.aggregate.from_tables import FromTables, from_tables, links, table_alias, table_name_sql
from suffice.sql.aggregate.inline import inline
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.unit_query import BESIDE, SAMPLED
from suffice.sql.rewrite.inline_ctes import inline_ctes
from suffice.tables.join_fanout import fanout
from suffice.tables.key_scramble import KeyScramble, key_scramble
from suffice.tables.open_source import open_source, rows_of, view_sql
from suffice.tables.reader import Reader
from suffice.tables.scramble import Scramble
from suffice.tables.source import Source, UnreadableLayoutError

WHOLE_SHARE_MAX = 0.35
"""Rows of the tables read whole, as a share of the sampled table's; beyond it little would be saved."""


@dataclass(frozen=True)
class Drawing:
    """Attributes:
    statement: what to sample, views and derived tables written out, `table` marked in its FROM.
    table, source: the node of FROM that is drawn from, and where its rows live.
    joined_rows_max: the most joined rows of one row of `table`.
    rows_whole: rows of the other tables, which each look reads whole.
    rows: of all tables.
    values, values_whole: that the statement names, of all tables and of those read whole.
    """

    statement: exp.Select
    tables: FromTables
    table: exp.Table
    source: Source
    joined_rows_max: int
    rows_whole: int
    rows: int
    values: int
    values_whole: int

    def columns(self) -> list[str]:
        """Columns of the sampled table that the statement names."""
        named = {c.name.lower() for c in self.statement.find_all(exp.Column)}
        return [n for n in self.tables.columns[table_alias(self.table).lower()] if n.lower() in named]


def written_out(original: exp.Select, reader: Reader, require: Callable[[exp.Select], object]) -> exp.Select:
    """`original` over base tables; `require` raises :class:`NotSampledError` for what cannot be sampled anyhow."""
    if original.find(exp.TableSample):
        raise NotSampledError("the query samples on its own (TABLESAMPLE)")
    plain = inline_ctes(original.copy())
    assert isinstance(plain, exp.Select)

    def written(statement: exp.Select) -> exp.Select:
        return inline(statement, lambda t: view_sql(reader, t), lambda one: reader.describe(one.sql("duckdb"))[0])

    if plain.find(exp.Subquery):  # run subqueries only where all else can be sampled
        require(written(constant_subqueries(plain.copy(), lambda sql: ("0", "DOUBLE"))))
    return written(constant_subqueries(plain, lambda sql: _scalar(reader, sql)))


def over_base_tables(statement: exp.Select, reader: Reader) -> Absorbed:
    """The tables in FROM that have to be read; raises :class:`NotSampledError` when names in it are not clear."""
    tables = from_tables(statement, lambda t: reader.columns(table_name_sql(t, "duckdb")))
    require_own_tables(reader.database, statement)
    require_clear_names(statement, {name.lower() for names in tables.columns.values() for name in names})
    return absorbed(statement, tables, reader)


def draw_from(asked: Absorbed, reader: Reader) -> Drawing:
    """Mark the largest table; raises :class:`NotSampledError` when none can be drawn from."""
    statement, tables = asked.statement, asked.tables
    beside = _rows_of_subqueries(statement, reader)
    rows = {alias: rows_of(reader, table_name_sql(t, "duckdb")) for alias, t in tables.tables.items()}
    sampled = _largest(tables, rows)
    table, whole = tables.tables[sampled], sum(rows.values()) - rows[sampled] + beside
    values = {alias: count * (1 + len(tables.named(statement, alias))) for alias, count in rows.items()}
    values_whole = sum(values.values()) - values[sampled] + 2 * beside
    source: Source | None = None
    if whole > KEYS_SHARE_MIN * rows[sampled] and (pair := _by_keys(statement, tables, sampled, reader)) is not None:
        source, other = pair
        whole, values_whole = whole - rows[other], values_whole - values[other]
        tables.tables[other].meta[BESIDE] = True
    if whole > WHOLE_SHARE_MAX * rows[sampled]:
        raise NotSampledError(f"the tables read beside {sampled} hold {whole:,} rows, too many to read whole")
    source = source or _source(table, reader)
    if isinstance(source, Scramble):
        source.expect(is_filtered=statement.args.get("where") is not None)
    table.meta[SAMPLED] = True
    most = fanout(reader, statement, tables, sampled, rows)
    all_rows, all_values = sum(rows.values()) + beside + asked.rows, sum(values.values()) + 2 * beside + asked.values
    return Drawing(statement, tables, table, source, most, whole, all_rows, all_values, values_whole)


def _by_keys(statement: exp.Select, tables: FromTables, sampled: str, reader: Reader) -> tuple[KeyScramble, str] | None:
    """Keys of a join with `sampled`, and the other table of it: the join with the most rows for which both have
    copies. An outer join keeps rows whose keys the other side does not have."""
    if tables.sampleable != tables.tables.keys() or any(j.args.get("side") for j in statement.args.get("joins") or []):
        return None
    named = {c.name.lower() for c in statement.find_all(exp.Column)}
    name = table_name_sql(tables.tables[sampled], "duckdb")
    for alias, key, other, other_key in links(statement, tables):
        if alias == sampled:
            columns = [n for n in tables.columns[other] if n.lower() in named]
            names = name, table_name_sql(tables.tables[other], "duckdb")
            if (found := key_scramble(reader, names, (key, other_key), columns)) is not None:
                return found, other
    return None


def _scalar(reader: Reader, sql: str) -> tuple[str | None, str] | None:
    """The one value of a query and its type; None for a query that depends on an outer one."""
    import duckdb

    query = f"SELECT (v)::VARCHAR, typeof(v) FROM (SELECT ({sql}) AS v)"
    try:
        reader.describe(query)
    except duckdb.BinderException:
        return None
    return reader.rows(query)[0]


def _rows_of_subqueries(statement: exp.Select, reader: Reader) -> int:
    """Rows of the tables that subqueries in WHERE read whole."""
    import duckdb

    where = statement.args.get("where")
    try:
        return sum(rows_of(reader, table_name_sql(t, "duckdb")) for t in (where.find_all(exp.Table) if where else ()))
    except duckdb.Error as error:
        raise NotSampledError("a subquery over what is not a stored table") from error


def _largest(tables: FromTables, rows: Mapping[str, int]) -> str:
    """Alias of the table to draw from."""
    candidates = [a for a in rows if a in tables.sampleable]
    if not candidates:
        raise NotSampledError("no side of the outer joins can be sampled")
    return max(candidates, key=lambda a: rows[a])


def _source(table: exp.Table, reader: Reader) -> Source:
    try:
        return open_source(reader, table_name_sql(table, "duckdb"))
    except UnreadableLayoutError as error:
        raise NotSampledError(str(error)) from error
