"""A statement made ready for sampling: what is drawn from which table, and what is known of it beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlglot import exp

from suffice.answer.engine import Engine
from suffice.answer.block_sums import Floats
from suffice.sql.aggregate.decompose import Decomposed, decompose
from suffice.sql.aggregate.from_tables import FromTables, from_tables, join_rows_max
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.value_range import value_range
from suffice.tables.source import BlockSource, UnreadableLayoutError


@dataclass(frozen=True)
class SamplingPlan:
    """Attributes:
    row_low, row_high: known ends of what one row of the sampled table adds to each piece, 0 included [pieces].
    """

    statement: exp.Select
    query: Decomposed
    table: exp.Table
    source: BlockSource
    row_low: Floats
    row_high: Floats


def plan_sampling(statement: exp.Select, engine: Engine) -> SamplingPlan:
    """Choose the table to sample; raises :class:`NotSampledError` when the query has to run exactly."""
    query = decompose(statement)
    tables = from_tables(statement, lambda t: engine.columns(_name(t, engine)))
    _require_clear_names(statement, tables)
    sources = {alias: _source(t, engine) for alias, t in tables.tables.items()}
    candidates = [a for a in sources if a in tables.sampleable]
    if not candidates:
        raise NotSampledError("no side of the outer joins can be sampled")
    sampled = max(candidates, key=lambda a: sources[a].rows)
    if not query.keys and len(tables.tables) == 1 and not statement.args.get("where") and _is_metadata_only(query):
        raise NotSampledError("the row count is in the catalogue")
    most = join_rows_max(statement, tables, sampled, lambda t, c: engine.key_rows_max(_name(t, engine), c))

    def column_range(column: exp.Column) -> tuple[float, float] | None:
        owner = tables.owner(column)
        return sources[owner].column_range(column.name) if owner else None

    ranges = [(1.0, 1.0) if p.value is None else value_range(p.value, column_range) for p in query.pieces]
    low = np.array([np.nan if r is None else most * min(r[0], 0.0) for r in ranges])
    high = np.array([np.nan if r is None else most * max(r[1], 0.0) for r in ranges])
    tables.tables[sampled].meta["sampled"] = True
    return SamplingPlan(statement, query, tables.tables[sampled], sources[sampled], low, high)


def _name(table: exp.Table, engine: Engine) -> str:
    parts = [p.sql(dialect=engine.dialect) for p in table.parts]
    return ".".join(parts)


def _source(table: exp.Table, engine: Engine) -> BlockSource:
    try:
        return engine.source(_name(table, engine))
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


def _names(clause: exp.Expression, name: str) -> bool:
    return any(not c.table and c.name.lower() == name.lower() for c in clause.find_all(exp.Column))
