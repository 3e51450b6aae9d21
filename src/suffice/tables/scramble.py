"""A copy of a table in random order, of which any run of consecutive rows is a random sample of rows.

Rows are numbered (:data:`SID`), so a run is found by zone maps (DuckDB) or a BRIN index (PostgreSQL) and reading 1% of
the rows reads 1% of the bytes; each row is a unit, runs grow into longer ones, and all queries share the copy. Rows
with values far outside the bulk of a column come first and are always read: the ranges of all others are then narrow,
which is what finite-sample bounds live on. A copy is used only while its table is unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from suffice.store.clickhouse import ClickHouse
from suffice.store.database import literal, quote
from suffice.tables.clickhouse_tables import copy_name, runs_of
from suffice.tables.fetched_ahead import fetch_ahead
from suffice.tables.fingerprint import fingerprint
from suffice.tables.growing_run import GrowingRun, Run, sizes_of
from suffice.tables.reader import Reader, plain_name
from suffice.tables.source import (
    CERTAIN,
    GROUP,
    PART,
    ROWS_PER_GROUP,
    SID,
    UNIT,
    Drawn,
    Range,
    UnreadableLayoutError,
)

PILOT = (2048, 30720)
"""Rows of the two parts of the first draw: the first sets the stakes of the second."""


_LAYOUT = 2

_LOADED: set[object] = set()
"""Copies of which DuckDB has been made to load what it knows of their row groups: a first draw takes as long for that
as for its rows."""


@dataclass(frozen=True)
class Catalogued:
    """A scramble as the store knows it.

    Attributes:
        copy_sql: name of the copy.
        certain: rows at its start that are always read.
        ranges: of each numeric column over all other rows.
        never_null: columns, in lower case, known to hold no NULL.
    """

    name: str
    copy_sql: str
    fingerprint: str
    rows: int
    certain: int
    ranges: Mapping[str, Range]
    never_null: Collection[str]


@dataclass
class Scramble:
    """The fresh copy of a table, as a :class:`suffice.tables.source.Source`.

    Attributes:
        relation: what stands in FROM for some columns of some runs of the copy.
        reader: of the answer in hand, where the copy is in a DuckDB file.
        rows_per_group: rows of the copy that are stored, and so read, together.
    """

    known: Catalogued
    relation: Callable[[Sequence[Run], Sequence[str]], str]
    reader: Reader | None = None
    rows_per_unit_max: int = 1
    share_max: float = 0.3
    method: str = "rows of a scramble"
    assumptions: tuple[str, ...] = ("the hash that ordered the scramble has nothing to do with the values",)
    rows_per_group: int = 1
    run: GrowingRun = field(init=False)
    _has_certain: bool = False

    def __post_init__(self) -> None:
        self.run = GrowingRun(self.known.certain, self.units, self.share_max, self.pilot_units, self.rows_per_group)

    @property
    def rows(self) -> int:
        return self.known.rows

    @property
    def units(self) -> int:
        return self.known.rows - self.known.certain

    @property
    def pilot_units(self) -> int:
        """See :class:`suffice.tables.source.Source`."""
        return sum(PILOT)

    def column_range(self, column: str) -> Range | None:
        """See :meth:`suffice.tables.source.Source.column_range`."""
        return self.known.ranges.get(column.lower())

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """See :class:`suffice.tables.growing_run.GrowingRun`."""
        self.run.start(seed, columns)
        self._has_certain = self.known.certain == 0

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """The next rows of the run; the first draw brings those that are always read."""
        runs = self.run.take(sizes)
        always, self._has_certain = [] if self._has_certain else [(CERTAIN, 0, self.known.certain)], True
        if self.reader is not None:
            fetch_ahead(self.reader, self.known.name, [*self.run.columns, SID], runs[0][1], runs[-1][2])
        rows = self.relation([*always, *runs], self.run.columns)
        return Drawn(rows, sizes_of(runs), sum(sizes_of([*always, *runs])))


def _selected(copy: str, group: int, runs: Sequence[Run], columns: Sequence[str]) -> str:
    """Runs as a subquery."""
    names = "".join(f"{quote(c)}, " for c in columns)
    certain, drawn = ([run for run in runs if (run[0] == CERTAIN) == is_certain] for is_certain in (True, False))
    selects = [
        f"SELECT {names}{part_sql(piece, column, each)} AS {PART}, {SID} AS {UNIT} FROM {copy} WHERE {where}"
        for column, each, piece in [*_pieces(certain, group), *_pieces(drawn, group)]
        if (where := _where(column, piece, group))
    ]
    return f"({' UNION ALL '.join(selects)})"


def _pieces(runs: Sequence[Run], group: int) -> Iterator[tuple[str, int, list[Run]]]:
    """(column, rows that it counts as one, runs): of whole groups not even the numbers of their rows are read."""
    if not runs:
        return
    first, end = runs[0][1], runs[-1][2]
    whole, rest = -(-first // group) * group, end // group * group
    if group == 1 or whole >= rest or any(e % group for _, _, e in runs if whole < e < rest):
        yield SID, 1, list(runs)
    else:
        yield SID, 1, _within(runs, first, whole)
        yield GROUP, group, _within(runs, whole, rest)
        yield SID, 1, _within(runs, rest, end)


def _where(column: str, runs: Sequence[Run], group: int) -> str:
    """The condition for runs that follow each other; empty for none."""
    if not runs:
        return ""
    first, end = runs[0][1], runs[-1][2]
    groups = f"{GROUP} >= {first // group} AND {GROUP} <= {(end - 1) // group}" if group > 1 else ""
    rows = f"{SID} >= {first} AND {SID} < {end}" if column == SID else ""
    return " AND ".join(filter(None, (groups, rows)))


def _within(runs: Sequence[Run], first: int, end: int) -> list[Run]:
    return [(part, max(a, first), min(b, end)) for part, a, b in runs if max(a, first) < min(b, end)]


def part_sql(runs: Sequence[Run], column: str = SID, each: int = 1) -> str:
    """The part of each row of runs that follow each other: one range is scanned sooner than several."""
    *earlier, (last, _, _) = runs
    cases = " ".join(f"WHEN {column} < {end // each} THEN {part}" for part, _, end in earlier)
    return f"CASE {cases} ELSE {last} END" if cases else str(last)


def _fetched(
    reader: Reader, clickhouse: ClickHouse, known: Catalogued, runs: Sequence[Run], columns: Sequence[str]
) -> str:
    """Runs brought from ClickHouse as Arrow."""
    import pyarrow as pa

    drawn = []
    table = clickhouse.named(known.name)
    found = runs_of(clickhouse, table, known.copy_sql, columns, [(first, end) for _, first, end in runs])
    for (part, first, end), rows in zip(runs, found, strict=True):
        if rows.num_rows != end - first:
            raise UnreadableLayoutError(f"the scramble of {table} was changed while it was read")
        parts = pa.array(np.full(rows.num_rows, part, np.int64))
        drawn.append(rows.rename_columns([*columns, UNIT]).append_column(PART, parts))
    reader.cursor.register("__drawn_rows", pa.concat_tables(drawn))
    return "__drawn_rows"


def catalogue_sql(reader: Reader) -> str:
    """The store's table of scrambles."""
    return f"{reader.database.schema}.scrambles"


def catalogued(reader: Reader, name_sql: str) -> Catalogued | None:
    """What the store knows of the scramble of a table; None when it never had one."""
    import duckdb

    try:
        found = reader.once(
            f"SELECT name, fingerprint, row_count, certain, ranges FROM {catalogue_sql(reader)}"
            f" WHERE name = {literal(plain_name(name_sql))}"
        )
    except duckdb.CatalogException:
        return None
    if not found:
        return None
    name, mark, rows, certain, told = found[0]
    facts = json.loads(told) if mark.startswith(f"{_LAYOUT} ") else {"ranges": {}, "never_null": []}
    ranges = {column: (low, high) for column, (low, high) in facts["ranges"].items()}
    return Catalogued(name, copy_sql(reader, name), mark, int(rows), int(certain), ranges, facts["never_null"])


def fresh_scramble(reader: Reader, name_sql: str) -> Scramble | None:
    """The scramble of a table, or None when there is none or the table has changed since."""
    known = catalogued(reader, name_sql)
    if known is None or known.fingerprint != layout_mark(reader, name_sql):
        return None
    counters = ("PostgreSQL's counters of written rows are up to date",) if reader.database.is_postgres else ()
    clickhouse = reader.database.clickhouse
    is_here = clickhouse is None and not counters
    if is_here and (place := (reader.database.target, known.copy_sql, reader.state)) not in _LOADED:
        _LOADED.add(place)
        reader.beside(f"SELECT count(*) FROM {known.copy_sql} WHERE {GROUP} = 0")
    group = ROWS_PER_GROUP if is_here else 1
    relation = (
        partial(_selected, known.copy_sql, group)
        if clickhouse is None
        else partial(_fetched, reader, clickhouse, known)
    )
    assumptions = (Scramble.assumptions[0], *counters)
    return Scramble(known, relation, reader if is_here else None, assumptions=assumptions, rows_per_group=group)


def layout_mark(reader: Reader, name_sql: str) -> str:
    """The fingerprint of a table, and how copies are laid out by now."""
    return f"{_LAYOUT} {fingerprint(reader, name_sql)}"


def copy_sql(reader: Reader, name: str) -> str:
    """Where the scramble of a catalogued table is, in the words of the database that holds it."""
    if reader.database.clickhouse is not None:
        return copy_name(name)
    schema = "suffice" if reader.database.is_postgres else reader.database.schema
    return f"{schema}.{quote(f'scramble_{name}')}"
