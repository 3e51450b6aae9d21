"""DuckDB's own tables as they lie: units are its vectors of 2048 rows, drawn by ``TABLESAMPLE SYSTEM``.

SYSTEM is pushed into the scan (1.2 and later), so vectors not drawn are not decoded. Each thread draws for itself, so
even REPEATABLE gives other rows with other threads; ``row_number() OVER ()`` above the scan needs the rows in order,
which makes this one pipeline run on one thread, and keeps filters, whose zone maps would change what is drawn, above.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from suffice.store.database import literal, quote
from suffice.tables.reader import Reader
from suffice.tables.source import PART, UNIT, Drawn, Range, UnreadableLayoutError

VECTOR = 2048
_RUNS_MAX = 64


@dataclass
class DuckDBVectors:
    """A base table of DuckDB. Attributes as in :class:`suffice.tables.source.Source`."""

    reader: Reader
    name_sql: str
    rows: int = 0
    units: int = 0
    rows_per_unit_max: int = VECTOR
    share_max: float = 0.3
    method: str = "vectors of 2,048 rows (TABLESAMPLE SYSTEM)"
    assumptions: tuple[str, ...] = ("DuckDB draws each vector with the same probability, independently of the others",)
    _unit_sql: str = f"rowid // {VECTOR}"
    _seeds: np.random.Generator = field(default_factory=np.random.default_rng)
    _columns: list[str] = field(default_factory=list)
    _draws: int = 0
    _ranges: dict[str, Range | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rows = self._number(f"SELECT count(*) FROM {self.name_sql}")
        self._read_layout()

    @property
    def pilot_units(self) -> int:
        """See :class:`suffice.tables.source.Source`."""
        return min(max(60, self.units // 50), 200)

    def _number(self, sql: str) -> int:
        return int(self.reader.rows(sql)[0][0] or 0)

    def _read_layout(self) -> None:
        """Find where vectors start, from the sizes of row groups; count those with visible rows after deletes."""
        sizes = [n for (n,) in self.reader.rows(_ROW_GROUP_SIZES.format(literal(self.name_sql)))]
        self._unit_sql, self.units = _unit_expression(sizes)
        if sum(sizes) != self.rows:
            distinct = f"SELECT count(*) FROM (SELECT {self._unit_sql} FROM {self.name_sql} GROUP BY 1)"
            self.units = self._number(distinct)

    def start(self, seed: int, columns: Sequence[str]) -> None:
        """See :meth:`suffice.tables.source.Source.start`."""
        self._seeds, self._columns, self._draws = np.random.default_rng(seed), list(columns), 0
        self.reader.rows(f"CREATE OR REPLACE TEMP TABLE __drawn_units ({UNIT} BIGINT)")

    def draw(self, sizes: Sequence[int]) -> Drawn:
        """Each part is a draw of its own, without the vectors of those before."""
        parts = [self._part(part, size) for part, size in enumerate(sizes)]
        relation = " UNION ALL ".join(f"FROM __draw_{self._draws - len(parts) + i}" for i in range(len(parts)))
        return Drawn(f"({relation})", [units for units, _ in parts], sum(rows for _, rows in parts))

    def _part(self, part: int, size: int) -> tuple[int, int]:
        name, seed = f"__draw_{self._draws}", int(self._seeds.integers(2**31))
        ((known,),) = self.reader.rows("SELECT count(*) FROM __drawn_units")
        percent = 100 * min(size / max(self.units - known, 1), 1.0)
        columns = "".join(f"{quote(c)}, " for c in self._columns)
        self.reader.rows(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * EXCLUDE (__row) FROM (SELECT {columns}{part} AS {PART}, "
            f"{self._unit_sql} AS {UNIT}, row_number() OVER () AS __row FROM {self.name_sql} "
            f"TABLESAMPLE SYSTEM ({percent!r} PERCENT) REPEATABLE ({seed})) ANTI JOIN __drawn_units USING ({UNIT})"
        )
        self._draws += 1
        ((rows,),) = self.reader.rows(f"SELECT count(*) FROM {name}")
        ((units,),) = self.reader.rows(f"INSERT INTO __drawn_units SELECT DISTINCT {UNIT} FROM {name}")
        return int(units), int(rows)

    def column_range(self, column: str) -> Range | None:
        """From table statistics, which only ever widen until they are rebuilt: deletes and updates keep them sound."""
        if column not in self._ranges:
            found = self.reader.rows(
                f"SELECT stats({quote(column)}), typeof({quote(column)}) FROM {self.name_sql} LIMIT 1"
            )
            self._ranges[column] = _parse_range(*found[0]) if found else None
        return self._ranges[column]


_ROW_GROUP_SIZES = """
    SELECT max(n)::BIGINT FROM (
        SELECT row_group_id, sum(count) AS n FROM pragma_storage_info({})
        WHERE column_path = '[' || column_id || ']' GROUP BY row_group_id, column_id)
    GROUP BY row_group_id ORDER BY row_group_id
"""


def _unit_expression(row_group_sizes: list[int]) -> tuple[str, int]:
    """(SQL that numbers the vectors 0, 1, …, number of vectors); a new run starts after each part-filled vector."""
    starts, row, vector = [(0, 0)], 0, 0
    for size in row_group_sizes:
        row, vector = row + size, vector + math.ceil(size / VECTOR)
        if size % VECTOR:
            starts.append((row, vector))
    if len(starts) > _RUNS_MAX:
        raise UnreadableLayoutError(
            f"the table is stored in {len(starts)} unaligned pieces; rewrite it (CREATE TABLE … AS)"
        )
    branches = [f"WHEN rowid >= {row} THEN {vector} + (rowid - {row}) // {VECTOR}" for row, vector in reversed(starts)]
    return f"CASE {' '.join(branches)} END", vector


_STATS = re.compile(r"\[Min: (\S+), Max: ([^\]\s,]+)\]")
_NUMERIC = re.compile(r"(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\(.*\))")


def _parse_range(stats: str, type_name: str) -> Range | None:
    match = _STATS.match(stats)
    if match is None or "NULL" in match.groups() or not _NUMERIC.fullmatch(type_name):
        return None
    low, high = map(float, match.groups())
    if type_name == "FLOAT":  # printed with the fewest digits that name it, which may be a little inside
        low, high = low - abs(low) * 1e-6, high + abs(high) * 1e-6
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None
