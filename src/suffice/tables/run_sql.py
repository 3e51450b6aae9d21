"""Runs of a scramble in DuckDB as SQL: from the head what lies in it; else whole row groups by their number alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from suffice.store.database import quote
from suffice.tables.fetched_ahead import fetch_ahead
from suffice.tables.growing_run import Run
from suffice.tables.head import Head
from suffice.tables.reader import Reader
from suffice.tables.source import GROUP, PART, ROWS_PER_GROUP, SID, UNIT


@dataclass(frozen=True)
class StoredRuns:
    """Attributes:
    name, copy_sql: of the table, and of its scramble.
    head: the first rows of it, where that can be read.
    head_rows: how many.
    """

    name: str
    copy_sql: str
    head: Head | None
    head_rows: int

    def __call__(self, reader: Reader, runs: Sequence[Run], columns: Sequence[str]) -> str:
        """Runs as a subquery with some columns of the table."""
        if all(end <= self.head_rows for _, _, end in runs) and self.head is not None and self.head.holds(columns):
            return _numbered(self.head.relation_sql, runs, columns)
        pieces = list(_pieces(runs))
        fetch_ahead(reader, self.name, [*columns, SID], [group for piece in pieces for group in piece.groups])
        return _union(piece.select_sql(self.copy_sql, columns, piece.groups_sql) for piece in pieces)


def numbered_runs(copy: str, reader: Reader, runs: Sequence[Run], columns: Sequence[str]) -> str:
    """Runs of a copy in PostgreSQL as a subquery."""
    return _numbered(copy, runs, columns)


def _numbered(table: str, runs: Sequence[Run], columns: Sequence[str]) -> str:
    return _union(_Piece(SID, each).select_sql(table, columns) for each in _following(runs))


def _union(selects: Iterable[str]) -> str:
    return f"({' UNION ALL '.join(selects)})"


@dataclass(frozen=True)
class _Piece:
    """Runs that follow each other, found by `column`: the number of the row, or of its row group."""

    column: str
    runs: Sequence[Run]

    @property
    def first(self) -> int:
        return self.runs[0][1]

    @property
    def end(self) -> int:
        return self.runs[-1][2]

    @property
    def groups(self) -> range:
        return range(self.first // ROWS_PER_GROUP, -(-self.end // ROWS_PER_GROUP))

    @property
    def groups_sql(self) -> str:
        return f"{GROUP} >= {self.groups[0]} AND {GROUP} <= {self.groups[-1]}"

    def select_sql(self, table: str, columns: Sequence[str], *conditions: str) -> str:
        names = "".join(f"{quote(c)}, " for c in columns)
        part = part_sql(self.runs, self.column, ROWS_PER_GROUP if self.column == GROUP else 1)
        rows = [f"{SID} >= {self.first} AND {SID} < {self.end}"] * (self.column == SID)
        where = " AND ".join([*conditions, *rows])
        return f"SELECT {names}{part} AS {PART}, {SID} AS {UNIT} FROM {table} WHERE {where}"


def _following(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Runs that follow each other, together."""
    found: list[Run] = []
    for run in runs:
        if found and found[-1][2] != run[1]:
            yield found
            found = []
        found.append(run)
    yield found


def _pieces(runs: Sequence[Run]) -> Iterator[_Piece]:
    """Of whole groups not even the numbers of their rows are read."""
    for each in _following(runs):
        first, end = each[0][1], each[-1][2]
        whole, rest = -(-first // ROWS_PER_GROUP) * ROWS_PER_GROUP, end // ROWS_PER_GROUP * ROWS_PER_GROUP
        if whole >= rest or any(e % ROWS_PER_GROUP for _, _, e in each if whole < e < rest):
            yield _Piece(SID, each)
        else:
            split = ((SID, first, whole), (GROUP, whole, rest), (SID, rest, end))
            yield from (_Piece(column, mine) for column, a, b in split if (mine := _within(each, a, b)))


def _within(runs: Sequence[Run], first: int, end: int) -> list[Run]:
    return [(part, max(a, first), min(b, end)) for part, a, b in runs if max(a, first) < min(b, end)]


def part_sql(runs: Sequence[Run], column: str = SID, each: int = 1) -> str:
    """The part of each row of runs that follow each other: one range is scanned sooner than several."""
    *earlier, (last, _, _) = runs
    cases = " ".join(f"WHEN {column} < {end // each} THEN {part}" for part, _, end in earlier)
    return f"CASE {cases} ELSE {last} END" if cases else str(last)
