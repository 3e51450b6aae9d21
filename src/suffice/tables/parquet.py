"""Parquet files: blocks are their row groups, read one by one, so what is not drawn costs no I/O.

Row counts and column ranges come from the footers. (DuckDB itself reads a Parquet file whole under TABLESAMPLE.)
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from suffice.tables.source import BLOCK, DRAWN, Drawn, UnreadableLayoutError

_CALL = re.compile(r"(?:read_parquet|parquet_scan)\(\s*'((?:[^']|'')*)'\s*\)", re.IGNORECASE)
_NAME = re.compile(r"[\"']((?:[^\"']|'')*\.(?:parquet|pq))[\"']", re.IGNORECASE)


def parquet_pattern(name_sql: str) -> str | None:
    """The path or glob of ``read_parquet('…')`` or ``'….parquet'``; None for anything else."""
    match = _CALL.fullmatch(name_sql) or _NAME.fullmatch(name_sql)
    return match.group(1).replace("''", "'") if match else None


@dataclass
class ParquetTable:
    """Parquet files with one schema.

    Attributes:
        connection: where drawn row groups are registered as relations, until :meth:`close`.
        pattern: path or glob, local or of any file system that fsspec knows.
    """

    connection: duckdb.DuckDBPyConnection
    pattern: str
    share_max: float = 0.4
    assumptions: tuple[str, ...] = (
        "the footers' minima and maxima are right, and no value is NaN (footers ignore it)",
    )
    rows: int = 0
    blocks: int = 0
    rows_per_block_max: int = 0
    _groups: list[tuple[str, int, int]] = field(default_factory=list)  # file, row group, rows
    _ranges: dict[str, tuple[float, float] | None] = field(default_factory=dict)
    _registered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for path in self._files():
            with _open(path) as file:
                self._add(path, file.metadata, file.schema_arrow)
        self.rows = sum(n for _, _, n in self._groups)
        self.blocks = len(self._groups)
        self.rows_per_block_max = max((n for _, _, n in self._groups), default=0)

    def _files(self) -> list[str]:
        found = self.connection.execute("SELECT file FROM glob(?) ORDER BY file", [self.pattern]).fetchall()
        if not found:
            raise UnreadableLayoutError(f"no file matches {self.pattern!r}")
        return [path for (path,) in found]

    def _add(self, path: str, metadata: Any, schema: pa.Schema) -> None:
        for i in range(metadata.num_row_groups):
            group = metadata.row_group(i)
            if group.num_rows:
                self._groups.append((path, i, group.num_rows))
                self._widen(group, schema)

    def _widen(self, group: Any, schema: pa.Schema) -> None:
        for j in range(group.num_columns):
            column = group.column(j)
            name = column.path_in_schema
            found = _statistics_range(column.statistics)
            known = self._ranges.setdefault(name, (math.inf, -math.inf))
            self._ranges[name] = None if found is None or known is None else _hull(known, found)

    @property
    def pilot_blocks(self) -> int:
        """Row groups are large: the fewest that a limit theorem is applied to, and a tenth more."""
        return 33

    def coarser(self, factor: int) -> ParquetTable:
        """Row groups are coarse enough."""
        return self

    def draw(self, share: float, seed: int, columns: list[str]) -> Drawn:
        """See :meth:`suffice.tables.source.BlockSource.draw`; reads the drawn row groups."""
        count = min(self.blocks, max(1, round(share * self.blocks)))
        blocks = np.sort(np.random.default_rng(seed).choice(self.blocks, count, replace=False)).astype(np.int64)
        name = f"__row_groups_{len(self._registered)}"
        self.connection.register(name, self._read(blocks, columns))
        self._registered.append(name)
        rows = np.array([self._groups[b][2] for b in blocks], np.int64)
        return Drawn(f"(SELECT *, 0 AS {DRAWN} FROM {name})", blocks, rows)

    def _read(self, blocks: np.ndarray, columns: list[str]) -> pa.Table:
        paths = [self._groups[b][0] for b in blocks]
        starts = [i for i, (a, b) in enumerate(pairwise(["", *paths])) if a != b]
        tables = []
        for start, end in zip(starts, [*starts[1:], len(paths)], strict=True):
            mine = blocks[start:end]
            with _open(paths[start]) as file:
                table = file.read_row_groups([self._groups[b][1] for b in mine], columns=columns, use_threads=False)
            numbers = np.repeat(mine, [self._groups[b][2] for b in mine])
            tables.append(table.append_column(BLOCK, pa.array(numbers)))
        return pa.concat_tables(tables)

    def column_range(self, column: str) -> tuple[float, float] | None:
        """See :meth:`suffice.tables.source.BlockSource.column_range`."""
        return self._ranges.get(column)

    def close(self) -> None:
        """Forget what was drawn."""
        for name in self._registered:
            self.connection.unregister(name)
        self._registered.clear()


def _open(path: str) -> Any:
    import pyarrow.parquet as pq

    if "://" not in path:
        return pq.ParquetFile(path)
    import fsspec

    return pq.ParquetFile(fsspec.open(path, "rb").open())


def _hull(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return min(a[0], b[0]), max(a[1], b[1])


def _statistics_range(statistics: Any) -> tuple[float, float] | None:
    """(low, high) as numbers; (inf, -inf) for a column chunk of NULLs; None when not recorded or not a number."""
    if statistics is None:
        return None
    if not statistics.has_min_max:
        return (math.inf, -math.inf) if statistics.num_values == 0 and statistics.has_null_count else None
    ends = [_number(end) for end in (statistics.min, statistics.max)]
    return (ends[0], ends[1]) if ends[0] is not None and ends[1] is not None else None


def _number(value: object) -> float | None:
    if isinstance(value, date):
        return float(value.toordinal())
    if isinstance(value, (bool, int, float, Decimal)):
        return float(value) if math.isfinite(value) else None
    return None
