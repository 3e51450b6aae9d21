"""A statement made ready for sampling: what is drawn from which table, and what is known of it beforehand."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
from sqlglot import exp

from suffice.answer.tables.asked import Asked, asked_of, require_own_names
from suffice.answer.tables.drawing import Drawing, draw_from, over_base_tables, written_out
from suffice.sql.aggregate.centred import centred
from suffice.sql.aggregate.decompose import Decomposed, decompose
from suffice.sql.aggregate.final_query import FinalQuery, final_query
from suffice.sql.aggregate.formula import Formula
from suffice.sql.aggregate.fraction import Fraction, fraction_of
from suffice.sql.aggregate.from_tables import FromTables, table_alias, table_name_sql
from suffice.sql.aggregate.narrowed import narrowed
from suffice.sql.aggregate.never_null import may_be_null, without_null_tests
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.piece import Piece
from suffice.sql.aggregate.square_fits import square_fits
from suffice.sql.aggregate.unit_query import Pair, own_rows, row_values, unit_query, without_ends
from suffice.sql.aggregate.value_range import ColumnRange, value_range
from suffice.tables.key_scramble import KeyScramble
from suffice.tables.reader import Reader
from suffice.tables.scramble import Scramble
from suffice.tables.source import Range, Source
from suffice.tables.whole_range import whole_range

Floats = npt.NDArray[np.float64]

_SLACK = 1e-6  # of a range: decimals and floats are compared as doubles


@dataclass(frozen=True)
class SamplingPlan:
    """Attributes:
    names: of the result's columns.
    final: what makes the result's rows of estimates.
    drawing: what is drawn from.
    fractions: what is bounded by itself; every asked formula is one of them or made of single pieces that are.
    low, high: [pieces] what one unit adds at least and at most, 0 included.
    nullable: pieces whose SUM may be NULL in a group that has rows.
    unit_sql: of :func:`suffice.sql.aggregate.unit_query.unit_query`.
    endless_unit_sql: the same without the least and greatest units.
    drawn_sql: the drawn rows that its own conditions leave, where they are joined with other tables.
    """

    names: list[str]
    query: Decomposed
    final: FinalQuery
    asked: Asked
    drawing: Drawing
    fractions: list[Fraction]
    low: Floats
    high: Floats
    nullable: frozenset[int]
    unit_sql: str
    endless_unit_sql: str
    drawn_sql: str | None

    @property
    def source(self) -> Source:
        return self.drawing.source

    def pairs(self) -> list[Pair]:
        """Pieces whose products must be summed."""
        return _pairs(self.fractions)


def _pairs(fractions: list[Fraction]) -> list[Pair]:
    found: set[Pair] = set()
    for fraction in fractions:
        used = sorted(p for p in {*fraction.numerator, *fraction.denominator} if p is not None)
        found |= set(combinations_with_replacement(used, 2))
    return sorted(found)


def plan_sampling(original: exp.Select, reader: Reader) -> SamplingPlan:
    """Choose the table to draw from; raises :class:`NotSampledError` when the query has to run exactly."""
    asked_of_tables = over_base_tables(written_out(original, reader, decompose), reader)
    statement, tables = asked_of_tables.statement, asked_of_tables.tables
    if _is_row_count(plain := decompose(statement), statement, tables):
        raise NotSampledError("the number of rows is in the catalogue", from_metadata=True)
    drawing = draw_from(asked_of_tables, reader)
    ranges = _column_ranges(reader, tables, table_alias(drawing.table).lower(), drawing.source)
    about_middle = centred(statement, ranges)
    never_null = _never_null(drawing)
    query = plain if about_middle is statement else decompose(about_middle)
    query = query.simplified(lambda piece: without_null_tests(piece, never_null))
    nullable = frozenset(i for i, piece in enumerate(query.pieces) if may_be_null(piece, never_null))
    low, high = _piece_ranges(query, statement, ranges)
    _require_signed(reader, statement, query)
    most = drawing.joined_rows_max * drawing.source.rows_per_unit_max
    names, types = reader.describe(original.sql("duckdb"))
    asked = asked_of(query, types)
    require_own_names(names, asked.values)
    fractions = list(_fractions(asked.formulas))
    is_here = not reader.database.is_postgres  # whose sum of REALs is a REAL
    pairs = _pairs(fractions)
    own = is_here and reader.database.clickhouse is None and most == 1
    exact = _own_squares(reader, statement, query, drawing, np.maximum(-low, high)) if own else ()
    units = unit_query(
        statement, query, drawing.table, pairs, rows_are_units=most == 1, own_types=is_here, own_squares=exact
    )
    with_ends, endless = reader.written(units), reader.written(without_ends(units), copy=False)
    is_joined = is_here and len(tables.tables) > 1
    drawn_sql = own_rows(statement, drawing.table, tables.owner).sql("duckdb", copy=False) if is_joined else None
    final = final_query(query, names, types)
    ends = most * low, most * high
    return SamplingPlan(names, query, final, asked, drawing, fractions, *ends, nullable, with_ends, endless, drawn_sql)


def _own_squares(
    reader: Reader, statement: exp.Select, query: Decomposed, drawing: Drawing, most: Floats
) -> Collection[int]:
    """Pieces, `most` [pieces] in size, whose squares their own type holds."""
    source = drawing.source
    name = source.known.copy_sql if isinstance(source, Scramble | KeyScramble) else None
    values = row_values(statement, query, drawing.table, name)
    _, types = reader.describe(values.sql("duckdb", copy=False))
    return [i for i, (kind, size) in enumerate(zip(types, most, strict=True)) if square_fits(kind, float(size))]


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


def _never_null(drawing: Drawing) -> Callable[[exp.Column], bool]:
    """Of columns of a scramble whose statistics said so when it was made."""
    source, sampled = drawing.source, table_alias(drawing.table).lower()
    known = source.known.never_null if isinstance(source, Scramble) else ()
    return lambda column: drawing.tables.owner(column) == sampled and column.name.lower() in known


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


def _require_signed(reader: Reader, statement: exp.Select, query: Decomposed) -> None:
    """Raise :class:`NotSampledError` where DuckDB wraps a negated number round, and none is where its range says."""
    values = [piece.value for piece in query.pieces if piece.value is not None]
    negated = [n.this for v in values for n in v.find_all(exp.Neg) if not isinstance(n.this, exp.Literal)]
    if not negated:
        return
    clauses = {clause: statement.args[clause] for clause in ("from_", "joins") if statement.args.get(clause)}
    rows = exp.Select(expressions=[n.copy() for n in negated], **clauses).copy()
    for value, kind in zip(negated, reader.describe(rows.sql("duckdb"))[1], strict=True):
        if kind.startswith("U"):
            raise NotSampledError(f"-{value.sql('duckdb')[:60]} of a number without sign")


def _piece_range(piece: Piece, column_range: ColumnRange, where: exp.Expr | None) -> Range | None:
    if piece.value is None:
        return (0.0, 1.0)
    return value_range(piece.value, narrowed(column_range, where, piece.condition))
