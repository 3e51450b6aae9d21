"""Parquet files as they lie: units are row groups, read one by one, so that what is not drawn costs no I/O.

Row counts and column ranges come from the footers. (DuckDB reads a Parquet file whole under TABLESAMPLE.)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from suffice.tables.reader import Reader
from suffice.tables.source import PART, UNIT, Drawn, Range, UnreadableLayoutError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class ParquetGroups:
    """Parquet files of one schema. Attributes as in :class:`suffice.tables.source.Source`."""

    reader: Reader
    paths: Sequence[str]
    open: Callable[[str], Any]
    rows: int = 0
    units: int = 0
    rows_per_unit_max: int = 0
    share_max: float = 0.5
    method: str = "row groups of Parquet files"
    assumptions: tuple[str, ...] = (
        "the footers' minima and maxima are right, and no value is NaN (footers ignore it)",
    )
    _groups: list[tuple[str, int, int]] = field(default_factory=list)  # file, row group, rows
    _ranges: dict[str, Range | None] = field(default_factory=dict)
    _order: list[int] = field(default_factory=list)
    _columns: list[str] = field(default_factory=list)
    _names: dict[str, set[str]] = field(default_factory=dict)  # columns of each file

    def __post_init__(self) -> None:
        import pyarrow.parquet as pq

        for path in self.paths:
            with self.open(path) as file:
                footer = pq.read_metadata(file)
            self._names[path] = {footer.schema.column(j).path.partition(".")[0] for j in range(footer.num_columns)}
            for i in range(footer.num_row_groups):
                self._add(path, i, footer.row_group(i))
        self.units = len(self._groups)
        self.rows = sum(rows for _, _, rows in self._groups)
        self.rows_per_unit_max = max((rows for _, _, rows in self._groups), default=1)

    def _add(self, path: str, number: int, group: Any) -> None:
        if group.num_rows:
            self._groups.append((path, number, group.num_rows))
        for j in range(group.num_columns):
            chunk = group.column(j)
            name, found = chunk.path_in_schema.lower(), _statistics_range(chunk.statistics)
            known = self._ranges.setdefault(name, (math.inf, -math.inf))
            both = found is not None and known is not None
            self._ranges[name] = (min(known[0], found[0]), max(known[1], found[1])) if both else None  # type: ignore[index]

    @property
    def pilot_units(self) -> int:
        """Row groups are large: few, for a first idea."""
        return 16

    def column_range(self, column: str) -> Range | None:
        """See :meth:`suffice.tables.source.Source.column_range`."""
        found = self._ranges.get(column.lower())
        return found if found is not None and found[0] <= found[1] else None

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """The order in which row groups are drawn follows from `seed` alone."""
        self._order, self._columns = np.random.default_rng(seed).permutation(self.units).tolist(), list(columns)
        if missing := {*columns} - set().union(*self._names.values()):
            raise UnreadableLayoutError(f"{', '.join(sorted(missing))} is in the names of folders only")

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """Reads the drawn row groups."""
        import pyarrow as pa

        drawn, self._order = self._order[: sum(sizes)], self._order[sum(sizes) :]
        starts = np.cumsum([0, *sizes])
        parts = [self._read(drawn[a:b], i) for i, (a, b) in enumerate(pairwise(starts))]
        table = pa.concat_tables(parts, promote_options="permissive")
        self.reader.cursor.register("__drawn_row_groups", table)
        return Drawn("__drawn_row_groups", list(sizes), table.num_rows)

    def _read(self, units: list[int], part: int) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = []
        for path, mine in groupby(sorted(units), key=lambda unit: self._groups[unit][0]):
            numbers = list(mine)
            there = [name for name in self._columns if name in self._names[path]]
            with self.open(path) as opened, pq.ParquetFile(opened, pre_buffer=True) as file:
                table = file.read_row_groups([self._groups[n][1] for n in numbers], there, use_threads=False)
            unit = np.repeat(numbers, [self._groups[n][2] for n in numbers])
            table = table.append_column(UNIT, pa.array(unit))
            tables.append(table.append_column(PART, pa.array(np.full(len(unit), part, np.int64))))
        return pa.concat_tables(tables, promote_options="permissive")


def _statistics_range(statistics: Any) -> Range | None:
    """(low, high) as numbers; (inf, -inf) for a column chunk of NULLs; None when not recorded or not a number."""
    if statistics is None:
        return None
    if not statistics.has_min_max:
        return (math.inf, -math.inf) if statistics.num_values == 0 and statistics.has_null_count else None
    low, high = (_number(end) for end in (statistics.min, statistics.max))
    return (low, high) if low is not None and high is not None else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, (bool, int, float, Decimal))
    return float(value) if is_number and math.isfinite(value) else None  # type: ignore[arg-type]
