"""Intervals to rows: the value that is safest to print, whole numbers where the column has them, the asked order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suffice.answer.engine import Engine
from suffice.answer.evaluate import is_key, plain_value, value_ends
from suffice.estimate.relative import best_point
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.units.formula import Node
from suffice.sql.units.unit_query import UnitQuery

if TYPE_CHECKING:
    import pyarrow as pa

Ends = tuple[float, float]


@dataclass(frozen=True)
class Cell:
    """One value of the answer; `ends` is None for a column of GROUP BY."""

    value: Any
    ends: Ends | None


@dataclass(frozen=True)
class AnswerColumns:
    """Names of the columns of the answer as DuckDB gives them, their formulas, and which hold whole numbers."""

    names: tuple[str, ...]
    outputs: tuple[Node, ...]
    whole: tuple[bool, ...]

    @staticmethod
    def of(engine: Engine, bound: Bound, query: UnitQuery) -> AnswerColumns:
        described = engine.database.rows(f"DESCRIBE {answer_sql(bound)}")
        kinds = [str(row[1]) for row in described]
        return AnswerColumns(
            tuple(str(row[0]) for row in described),
            query.outputs,
            tuple(kind.endswith("INT") or kind == "INTEGER" for kind in kinds),
        )

    def tightened(self, column: int, ends: Ends) -> Ends:
        """A whole number lies between the whole numbers inside its interval."""
        low, high = ends
        if not self.whole[column] or is_key(self.outputs[column]) or not (math.isfinite(low) and math.isfinite(high)):
            return ends
        low_, high_ = math.ceil(low - 1e-9 * abs(low)), math.floor(high + 1e-9 * abs(high))
        return (low_, high_) if low_ <= high_ else ends

    def cells(
        self, group: Sequence[Any], atoms: Sequence[Ends], estimates: Sequence[float], is_relative: bool
    ) -> list[Cell]:
        """A row: where a relative error was asked, the value whose worst relative error is least."""
        row = []
        for column, node in enumerate(self.outputs):
            if is_key(node):
                row.append(Cell(plain_value(node, [], group), None))
                continue
            low, high = self.tightened(column, value_ends(node, atoms))
            if math.isinf(low) and math.isinf(high):  # no number without its guarantee
                row.append(Cell(None, (low, high)))
                continue
            value = best_point(low, high) if is_relative and low * high > 0 else plain_value(node, estimates, group)
            value = min(max(value, low), high) if math.isfinite(value) else low if math.isfinite(low) else 0.0
            row.append(Cell(round(value) if self.whole[column] else float(value), (float(low), float(high))))
        return row


def answer_rows(
    columns: AnswerColumns, cells: list[list[Cell]], order: Sequence[tuple[int, bool]]
) -> tuple[pa.Table, dict[str, list[Ends]]]:
    """The table, and each column's intervals in the order of its rows."""
    import pyarrow as pa

    for column, is_falling in reversed(order):
        cells = sorted(
            cells, key=lambda row: (row[column].value is None, row[column].value), reverse=is_falling
        )  # fmt: skip
    arrays = [pa.array([row[i].value for row in cells]) for i in range(len(columns.names))]
    intervals = {
        name: [row[i].ends or (math.nan, math.nan) for row in cells]
        for i, name in enumerate(columns.names)
        if not is_key(columns.outputs[i])
    }
    return pa.table(arrays, names=list(columns.names)), intervals
