"""A statement made ready for sampling: what is drawn from which table, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from suffice.answer.tables.asked import Asked, asked_of
from suffice.sql.aggregate.constant_subqueries import constant_subqueries
from suffice.sql.aggregate.decompose import Decomposed, decompose
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import Fraction, fraction_of
from suffice.sql.aggregate.from_tables import FromTables, from_tables, table_alias, table_name_sql
from suffice.sql.aggregate.inline import inline
from suffice.sql.aggregate.narrowed import narrowed
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.piece import Piece
from suffice.sql.aggregate.unit_query import SAMPLED, Pair
from suffice.sql.aggregate.value_range import ColumnRange, value_range
from suffice.sql.rewrite.inline_ctes import inline_ctes
from suffice.tables.join_fanout import fanout
from suffice.tables.open_source import open_source, rows_of, view_sql
from suffice.tables.reader import Reader
from suffice.tables.source import Range, Source, UnreadableLayoutError
from suffice.tables.whole_range import whole_range

Floats = npt.NDArray[np.float64]

WHOLE_SHARE_MAX = 0.35
"""Rows of the tables read whole, as a share of the sampled table's; beyond it little would be saved."""

_SLACK = 1e-6  # of a range: decimals and floats are compared as doubles


@dataclass(frozen=True)
class SamplingPlan:
    """Attributes:
    statement: what to sample, views and derived tables written out; `exact_sql` is how it came.
    names, types: of the result's columns, in DuckDB's words.
    table, source: the node of FROM that is drawn from, and where its rows live.
    rows_are_units: whether a unit is one row, which no join multiplies.
    fractions: what is bounded by itself; every asked formula is one of them or made of single pieces that are.
    low, high: [pieces] what one unit adds at least and at most, 0 included.
    rows_whole: rows of the other tables, which each look reads whole.
    """

    statement: exp.Select
    exact_sql: str
    names: list[str]
    types: list[str]
    query: Decomposed
    asked: Asked
    tables: FromTables
    table: exp.Table
    source: Source
    rows_are_units: bool
    fractions: list[Fraction]
    low: Floats
    high: Floats
    rows_whole: int

    def columns(self) -> list[str]:
        """Columns of the sampled table that the statement names."""
        named = {c.name.lower() for c in self.statement.find_all(exp.Column)}
        return [n for n in self.tables.columns[table_alias(self.table).lower()] if n.lower() in named]

    def pairs(self) -> list[Pair]:
        """Pieces whose products must be summed."""
        found: set[Pair] = set()
        for fraction in self.fractions:
            used = sorted(p for p in {*fraction.numerator, *fraction.denominator} if p is not None)
            found |= set(combinations_with_replacement(used, 2))
        return sorted(found)


def plan_sampling(original: exp.Select, reader: Reader) -> SamplingPlan:
    """Choose the table to draw from; raises :class:`NotSampledError` when the query has to run exactly."""
    written_out = inline_ctes(original.copy())
    assert isinstance(written_out, exp.Select)
    if written_out.find(exp.Subquery):  # run subqueries only where all else can be sampled
        untested = constant_subqueries(written_out.copy(), lambda sql: ("0", "DOUBLE"))
        decompose(inline(untested, lambda t: view_sql(reader, t)))
    constant = constant_subqueries(written_out, lambda sql: _scalar(reader, sql))
    statement = inline(constant, lambda t: view_sql(reader, t))
    query = decompose(statement)
    tables = from_tables(statement, lambda t: reader.columns(table_name_sql(t, "duckdb")))
    _require_clear_names(statement, tables)
    if _is_row_count(query, statement, tables):
        raise NotSampledError("the number of rows is in the catalogue", from_metadata=True)
    sampled, rows_whole = _largest(tables, reader)
    table = tables.tables[sampled]
    source = _source(table, reader)
    table.meta[SAMPLED] = True
    low, high = _piece_ranges(query, statement, _column_ranges(reader, tables, sampled, source))
    joined = fanout(reader, statement, tables, sampled)
    most = joined * source.rows_per_unit_max
    exact_sql = original.sql("duckdb")
    names, types = reader.describe(exact_sql)
    asked = asked_of(query, types)
    return SamplingPlan(
        statement, exact_sql, names, types, query, asked, tables, table, source, most == 1,
        list(_fractions(asked.formulas)), most * low, most * high, rows_whole,
    )  # fmt: skip


def _scalar(reader: Reader, sql: str) -> tuple[str | None, str]:
    """The one value of a query and its type; a query that depends on an outer one does not run alone."""
    found = reader.rows(f"SELECT (v)::VARCHAR, typeof(v) FROM (SELECT ({sql}) AS v)")
    return found[0]


def _fractions(formulas: list[Formula]) -> Iterator[Fraction]:
    seen: list[Fraction] = []
    for formula in formulas:
        own = fraction_of(formula)
        for each in [own] if own is not None else [fraction_of(Formula(piece=p)) for p in sorted(formula.pieces())]:
            if each is not None and each not in seen:
                seen.append(each)
                yield each


def _is_row_count(query: Decomposed, statement: exp.Select, tables: FromTables) -> bool:
    plain = not query.keys and len(tables.tables) == 1 and not statement.args.get("where")
    return plain and all(p.value is None and p.condition is None for p in query.pieces)


def _largest(tables: FromTables, reader: Reader) -> tuple[str, int]:
    """(alias of the table to draw from, rows of all others)."""
    rows = {alias: rows_of(reader, table_name_sql(t, "duckdb")) for alias, t in tables.tables.items()}
    candidates = [a for a in rows if a in tables.sampleable]
    if not candidates:
        raise NotSampledError("no side of the outer joins can be sampled")
    sampled = max(candidates, key=lambda a: rows[a])
    whole = sum(rows.values()) - rows[sampled]
    if whole > WHOLE_SHARE_MAX * rows[sampled]:
        raise NotSampledError(f"the tables that {sampled} is joined with hold {whole:,} rows, too many to read whole")
    return sampled, whole


def _source(table: exp.Table, reader: Reader) -> Source:
    try:
        return open_source(reader, table_name_sql(table, "duckdb"))
    except UnreadableLayoutError as error:
        raise NotSampledError(str(error)) from error


def _column_ranges(reader: Reader, tables: FromTables, sampled: str, source: Source) -> ColumnRange:
    """Of the sampled table from what is known of it, of the others from reading them, as every look does."""

    def of(column: exp.Column) -> Range | None:
        owner = tables.owner(column)
        if owner is None or owner == sampled:
            return source.column_range(column.name) if owner else None
        return whole_range(reader, table_name_sql(tables.tables[owner], "duckdb"), column.name)

    return of


def _piece_ranges(query: Decomposed, statement: exp.Select, column_range: ColumnRange) -> tuple[Floats, Floats]:
    """Ends [pieces] of what one row adds."""
    where = statement.args["where"].this if statement.args.get("where") else None
    ranges = [_piece_range(p, column_range, where) for p in query.pieces]
    unknown = next((p for p, r in zip(query.pieces, ranges, strict=True) if r is None), None)
    if unknown is not None and unknown.value is not None:
        raise NotSampledError(f"nothing is known of the range of {unknown.value.sql('duckdb')[:60]}")
    ends = np.array([r for r in ranges if r is not None], np.float64).reshape(-1, 2)
    slack = _SLACK * np.abs(ends).max(axis=1, initial=0.0)
    low, high = ends[:, 0], ends[:, 1]
    return np.where(low < 0, low - slack, 0.0), np.where(high > 0, high + slack, 0.0)  # signs survive rounding


def _piece_range(piece: Piece, column_range: ColumnRange, where: exp.Expr | None) -> Range | None:
    if piece.value is None:
        return (0.0, 1.0)
    return value_range(piece.value, narrowed(column_range, where, piece.condition))


def _require_clear_names(statement: exp.Select, tables: FromTables) -> None:
    """A SELECT alias that is also a column would mean different things in different clauses."""
    names = {n.lower() for names in tables.columns.values() for n in names}
    for item in statement.expressions:
        if not isinstance(item, exp.Alias) or item.alias.lower() not in names:
            continue
        if isinstance(item.this, exp.Column) and item.this.name.lower() == item.alias.lower():
            continue
        clauses = [statement.args.get(c) for c in ("group", "having", "where", "order")]
        if any(_names(clause, item.alias) for clause in clauses if clause):
            raise NotSampledError(f"{item.alias!r} is both a column and a name given in SELECT")


def _names(clause: exp.Expr, name: str) -> bool:
    return any(not c.table and c.name.lower() == name.lower() for c in clause.find_all(exp.Column))
