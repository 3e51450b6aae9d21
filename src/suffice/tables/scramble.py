"""A copy of a table in random order, of which any run of consecutive rows is a random sample of rows.

Rows are numbered (:data:`SID`), so a run is found by zone maps (DuckDB) or a BRIN index (PostgreSQL) and reading 1% of
the rows reads 1% of the bytes; each row is a unit, runs grow into longer ones, and all queries share the copy. Rows
with values far outside the bulk of a column come first and are always read: the ranges of all others are then narrow,
which is what finite-sample bounds live on. A copy is used only while its table is unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from suffice.store.database import literal, quote
from suffice.tables.clickhouse_tables import copy_name, runs_of
from suffice.tables.fingerprint import fingerprint
from suffice.tables.growing_run import GrowingRun, Run, sizes_of
from suffice.tables.head import HEAD_GROUP, Head, head_rows
from suffice.tables.reader import Reader, plain_name
from suffice.tables.run_sql import StoredRuns, numbered_runs
from suffice.tables.source import (
    CERTAIN,
    GROUP,
    PART,
    ROWS_PER_GROUP,
    UNIT,
    Drawn,
    Range,
    UnreadableLayoutError,
)
from suffice.tables.store_rows import store_rows

PILOT = (2048, HEAD_GROUP - 2048)
"""Rows of the two parts of the first draw: the first sets the stakes of the second."""


_LAYOUT = 2

_LAYOUT_ROWS_MOST = 512 * ROWS_PER_GROUP
"""Of a copy, for what DuckDB knows of its row groups to be no more than the first draw of a question with a WHERE."""

_LOADED: set[object] = set()
"""Copies of which DuckDB has been made to load what it knows of their row groups."""


@dataclass(frozen=True)
class Catalogued:
    """A scramble as the store knows it.

    Attributes:
        copy_sql: name of the copy.
        certain: rows at its start that are always read.
        ranges: of each numeric column over all other rows.
        never_null: columns, in lower case, known to hold no NULL.
        head: its first rows a second time, where it has one.
    """

    name: str
    copy_sql: str
    fingerprint: str
    rows: int
    certain: int
    ranges: Mapping[str, Range]
    never_null: Collection[str]
    head: Head | None = field(default=None, kw_only=True)


@dataclass
class Scramble:
    """The fresh copy of a table, as a :class:`suffice.tables.source.Source`.

    Attributes:
        relation: what stands in FROM for some columns of some runs of the copy.
        reader: of the answer in hand.
        rows_per_group: rows of the copy that are stored, and so read, together.
        head_rows: rows of the copy that are drawn before all others.
    """

    known: Catalogued
    relation: Callable[[Reader, Sequence[Run], Sequence[str]], str]
    reader: Reader
    rows_per_unit_max: int = 1
    share_max: float = 0.3
    method: str = "rows of a scramble"
    assumptions: tuple[str, ...] = ("the hash that ordered the scramble has nothing to do with the values",)
    rows_per_group: int = 1
    head_rows: int = 0
    run: GrowingRun = field(init=False)
    _has_certain: bool = False

    def __post_init__(self) -> None:
        head = (self.head_rows, HEAD_GROUP)
        self.run = GrowingRun(
            self.known.certain, self.units, self.share_max, self.pilot_units, self.rows_per_group, *head
        )

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

    def expect(self, is_filtered: bool) -> None:
        """Make DuckDB load what it knows of the row groups of the copy, while planning goes on, if a draw will probably
        leave the head: it would wait for that as long as for its rows."""
        known, reader = self.known, self.reader
        leaves = known.head is None or (is_filtered and known.rows <= _LAYOUT_ROWS_MOST)
        place = (reader.database.target, known.copy_sql, reader.state)
        if isinstance(self.relation, StoredRuns) and leaves and place not in _LOADED:
            _LOADED.add(place)
            reader.beside(f"SELECT count(*) FROM {known.copy_sql} WHERE {GROUP} = 0")

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """See :class:`suffice.tables.growing_run.GrowingRun`."""
        self.run.start(seed, columns)
        self._has_certain = self.known.certain == 0

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """The next rows of the run; the first draw brings those that are always read."""
        runs = self.run.take(sizes)
        always, self._has_certain = [] if self._has_certain else [(CERTAIN, 0, self.known.certain)], True
        rows = self.relation(self.reader, [*always, *runs], self.run.columns)
        return Drawn(rows, sizes_of(runs), sum(sizes_of([*always, *runs])))


def _fetched(known: Catalogued, reader: Reader, runs: Sequence[Run], columns: Sequence[str]) -> str:
    """Runs brought from ClickHouse as Arrow."""
    import pyarrow as pa

    drawn = []
    clickhouse = reader.database.clickhouse
    assert clickhouse is not None
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
    found = store_rows(
        reader,
        f"SELECT name, fingerprint, row_count, certain, ranges FROM {catalogue_sql(reader)}"
        f" WHERE name = {literal(plain_name(name_sql))}",
    )
    if not found:
        return None
    name, mark, rows, certain, told = found[0]
    facts = json.loads(told) if mark.startswith(f"{_LAYOUT} ") else {"ranges": {}, "never_null": []}
    ranges = {column: (low, high) for column, (low, high) in facts["ranges"].items()}
    stamp, columns = facts.get("head", (None, ()))
    head = Head(reader.database.file, stamp, columns) if stamp else None
    return Catalogued(
        name, copy_sql(reader, name), mark, int(rows), int(certain), ranges, facts["never_null"], head=head
    )


def note(reader: Reader, name: str, what: str, value: Any) -> None:
    """Write down what is found out of a scramble once it is made: its ``never_null``, its ``head``."""
    ((told,),) = reader.rows(f"SELECT ranges FROM {catalogue_sql(reader)} WHERE name = {literal(name)}")
    facts = json.loads(told)
    if facts.get(what) != value:
        facts = json.dumps({**facts, what: value})
        reader.rows(f"UPDATE {catalogue_sql(reader)} SET ranges = {literal(facts)} WHERE name = {literal(name)}")


def head_stamps(reader: Reader) -> list[str]:
    """Of all scrambles."""
    found = store_rows(reader, f"SELECT ranges FROM {catalogue_sql(reader)}")
    return [head[0] for (told,) in found if (head := json.loads(told).get("head"))]


def fresh_scramble(reader: Reader, name_sql: str) -> Scramble | None:
    """The scramble of a table, or None when there is none or the table has changed since."""
    known = catalogued(reader, name_sql)
    if known is None or known.fingerprint != layout_mark(reader, name_sql):
        return None
    database = reader.database
    counters = ("PostgreSQL's counters of written rows are up to date",) if database.is_postgres else ()
    assumptions = (Scramble.assumptions[0], *counters)
    if database.is_postgres:
        return Scramble(known, partial(numbered_runs, known.copy_sql), reader, assumptions=assumptions)
    if database.clickhouse is not None:
        return Scramble(known, partial(_fetched, known), reader, assumptions=assumptions)
    head = head_rows(known.rows, known.certain)
    relation = StoredRuns(known.name, known.copy_sql, known.head, head)
    return Scramble(known, relation, reader, assumptions=assumptions, rows_per_group=ROWS_PER_GROUP, head_rows=head)


def layout_mark(reader: Reader, name_sql: str) -> str:
    """The fingerprint of a table, and how copies are laid out by now."""
    return f"{_LAYOUT} {fingerprint(reader, name_sql)}"


def copy_sql(reader: Reader, name: str) -> str:
    """Where the scramble of a catalogued table is, in the words of the database that holds it."""
    if reader.database.clickhouse is not None:
        return copy_name(name)
    schema = "suffice" if reader.database.is_postgres else reader.database.schema
    return f"{schema}.{quote(f'scramble_{name}')}"
