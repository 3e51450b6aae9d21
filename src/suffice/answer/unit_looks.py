"""What taking a statement apart asks of the database: ranges of columns, numbers of rows, which columns are keys."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date

from suffice.answer.engine import Engine
from suffice.sql.plan import Bound
from suffice.sql.units.formula import VALUES_MAX
from suffice.sql.units.unit_query import Looks
from suffice.sql.units.value_range import ANY, Ends
from suffice.store.database import quote


def unit_looks(engine: Engine, bound: Bound) -> Looks:
    """The looks of one statement; nothing here runs a model."""
    rows = engine.database.rows

    def stored(relation: str, column: str) -> Ends:
        media = bound.media.get(relation)
        if media is None or column not in media.columns:
            return ANY
        name = quote(column)
        ((kind,),) = rows(f"SELECT any_value(typeof({name})) FROM {media.table}")
        if not _is_number(str(kind)):
            return ANY
        ((low, high),) = rows(f"SELECT min({name})::DOUBLE, max({name})::DOUBLE FROM {media.table}")
        ends = (float(str(low)), float(str(high))) if low is not None else ANY
        return ANY if any(math.isnan(end) for end in ends) else ends

    def most_rows(relation: str, key: str | None) -> float:
        media = bound.media.get(relation)
        if media is None:
            return math.inf
        if key is None:
            ((count,),) = rows(f"SELECT count(*) FROM {media.table}")
        else:
            ((count,),) = rows(
                f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM {media.table} GROUP BY {quote(key)})"
            )
        return float(str(count))

    def is_key(table: str, columns: Sequence[str], key: str) -> bool:
        names = ", ".join(map(quote, columns))
        ((apart, together),) = rows(
            f"SELECT (SELECT count(*) FROM (SELECT DISTINCT {names} FROM {table})),"
            f" (SELECT count(*) FROM (SELECT DISTINCT {names}, {quote(key)} FROM {table}))"
        )
        nothing = " OR ".join(f"{quote(column)} IS NULL" for column in columns)
        ((empty,),) = rows(f"SELECT count(*) FROM {table} WHERE {nothing}")
        return apart == together and not empty

    def values(relation: str, column: str) -> list[object] | None:
        media = bound.media.get(relation)
        if media is None or column not in media.columns:
            return None
        name = quote(column)
        found = rows(
            f"SELECT DISTINCT {name} FROM {media.table} WHERE {name} IS NOT NULL ORDER BY ALL LIMIT {VALUES_MAX + 1}"
        )
        is_plain = all(isinstance(row[0], str | int | date) for row in found)
        return [row[0] for row in found] if is_plain and len(found) <= VALUES_MAX else None

    return Looks(stored, most_rows, is_key, values)


def _is_number(kind: str) -> bool:
    return kind.startswith(("DECIMAL", "DOUBLE", "FLOAT", "BOOLEAN")) or kind.endswith("INT") or kind == "INTEGER"
