"""A statement made ready for sampling: what is drawn from which table, and what is known of it beforehand."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import sqlglot
from sqlglot import exp

from suffice.answer.block_sums import Floats
from suffice.answer.table_engine import TableEngine
from suffice.sql.aggregate.decompose import Decomposed, decompose
from suffice.sql.aggregate.from_tables import FromTables, from_tables, join_rows_max, table_alias, table_name_sql
from suffice.sql.aggregate.inline import inline
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.value_range import value_range
from suffice.tables.source import BlockSource, UnreadableLayoutError

WHOLE_SHARE_MAX = 0.35
"""Rows of the tables read whole, as a share of the sampled table's; beyond it little would be saved."""


@dataclass(frozen=True)
class SamplingPlan:
    """Attributes:
    statement: what to sample, views and derived tables written out.
    exact_sql: the statement as it came; its columns have `names` and DuckDB `types`.
    table, source: the node of FROM that is sampled, and where its rows live.
    row_low, row_high: known ends of what one row of the sampled table adds to each piece, 0 included [pieces]; NaN when
        unknown. They take each row to join one row of every other table, until :meth:`with_joins_counted`.
    """

    statement: exp.Select
    exact_sql: str
    names: list[str]
    types: list[str]
    query: Decomposed
    tables: FromTables
    table: exp.Table
    source: BlockSource
    row_low: Floats
    row_high: Floats

    def columns(self) -> list[str]:
        """Columns of the sampled table that the statement names."""
        alias = table_alias(self.table).lower()
        named = {c.name.lower() for c in self.statement.find_all(exp.Column)}
        return [n for n in self.tables.columns[alias] if n.lower() in named]

    def with_joins_counted(self, engine: TableEngine) -> SamplingPlan:
        """With ends for as many joined rows as there can be; reads the other tables, so asked for last."""
        alias = table_alias(self.table).lower()
        most = join_rows_max(
            self.statement, self.tables, alias, lambda t, c: engine.key_rows_max(table_name_sql(t, engine.dialect), c)
        )
        return replace(self, row_low=most * self.row_low, row_high=most * self.row_high)


def plan_sampling(original: exp.Select, engine: TableEngine) -> SamplingPlan:
    """Choose the table to sample; raises :class:`NotSampledError` when the query has to run exactly."""
    statement = inline(original.copy(), lambda t: _view(t, engine))
    query = decompose(statement)
    tables = from_tables(statement, lambda t: engine.columns(table_name_sql(t, engine.dialect)))
    _require_clear_names(statement, tables)
    if not query.keys and len(tables.tables) == 1 and not statement.args.get("where") and _is_metadata_only(query):
        raise NotSampledError("the row count is in the catalogue")
    sources = {alias: _source(t, engine) for alias, t in tables.tables.items()}
    sampled = _largest(sources, tables)
    low, high = _piece_ranges(query, tables, sources)
    tables.tables[sampled].meta["sampled"] = True
    table, exact_sql = tables.tables[sampled], original.sql(dialect=engine.dialect)
    names, types = engine.describe(exact_sql)
    return SamplingPlan(statement, exact_sql, names, types, query, tables, table, sources[sampled], low, high)


def _largest(sources: dict[str, BlockSource], tables: FromTables) -> str:
    candidates = [a for a in sources if a in tables.sampleable]
    if not candidates:
        raise NotSampledError("no side of the outer joins can be sampled")
    sampled = max(candidates, key=lambda a: sources[a].rows)
    whole = sum(s.rows for a, s in sources.items() if a != sampled)
    if whole > WHOLE_SHARE_MAX * sources[sampled].rows:
        raise NotSampledError(f"the tables that {sampled} is joined with hold {whole} rows, too many to read whole")
    return sampled


def _piece_ranges(query: Decomposed, tables: FromTables, sources: dict[str, BlockSource]) -> tuple[Floats, Floats]:
    def column_range(column: exp.Column) -> tuple[float, float] | None:
        owner = tables.owner(column)
        return sources[owner].column_range(column.name) if owner else None

    ranges = [(1.0, 1.0) if p.value is None else value_range(p.value, column_range) for p in query.pieces]
    low = np.array([np.nan if r is None else min(r[0], 0.0) for r in ranges])
    high = np.array([np.nan if r is None else max(r[1], 0.0) for r in ranges])
    return low, high


def _view(table: exp.Table, engine: TableEngine) -> exp.Select | None:
    text = engine.view_sql(table_name_sql(table, engine.dialect)) if isinstance(table.this, exp.Identifier) else None
    parsed = sqlglot.parse_one(text, dialect=engine.dialect) if text else None
    select = parsed.expression if isinstance(parsed, exp.Create) else parsed
    return select if isinstance(select, exp.Select) else None


def _source(table: exp.Table, engine: TableEngine) -> BlockSource:
    try:
        return engine.source(table_name_sql(table, engine.dialect))
    except UnreadableLayoutError as error:
        raise NotSampledError(str(error)) from error


def _is_metadata_only(query: Decomposed) -> bool:
    return all(p.value is None and p.condition is None for p in query.pieces)


def _require_clear_names(statement: exp.Select, tables: FromTables) -> None:
    """A SELECT alias that is also a column would mean different things in different clauses."""
    names = {n.lower() for names in tables.columns.values() for n in names}
    for item in statement.expressions:
        if not isinstance(item, exp.Alias) or item.alias.lower() not in names:
            continue
        if isinstance(item.this, exp.Column) and item.this.name.lower() == item.alias.lower():
            continue
        clauses = [statement.args.get(c) for c in ("group", "having", "where")]
        if any(_names(clause, item.alias) for clause in clauses if clause):
            raise NotSampledError(f"{item.alias!r} is both a column and a name given in SELECT")


def _names(clause: exp.Expr, name: str) -> bool:
    return any(not c.table and c.name.lower() == name.lower() for c in clause.find_all(exp.Column))
