"""What reading everything would take, told from metadata, so that sampling is not tried where it cannot win."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from suffice.answer.tables.drawing import Drawing
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.store.database import quote
from suffice.tables.file_state import State
from suffice.tables.joined_columns import catalogued_joins
from suffice.tables.key_scramble import KeyScramble, has_key_copies
from suffice.tables.pace import seconds_per_value
from suffice.tables.reader import Reader

LOOKS_S = 0.02
"""CPU seconds of two looks beyond the reading: planning, statistics, composing the rows."""

_VECTORS_S = 0.15  # the same where vectors are drawn: on one thread, and set up anew for each look
_GAIN = 5.0  # times that: a first draw in vain then costs a tenth of the exact answer at most
_WHOLE_MOST = 0.1  # of the exact answer's time, for tables read whole: a first draw may turn out to be in vain


@dataclass(frozen=True)
class Cost:
    """Of the exact answer.

    Attributes:
        rows: of all tables.
        seconds: of CPU, predicted from the pace of this machine.
        whole_s: of them, for the tables that every look reads whole.
    """

    rows: int
    seconds: float
    whole_s: float
    from_scramble: bool

    def require_worth_sampling(self, budget_s: float | None) -> None:
        """Raise :class:`NotSampledError` where everything is read sooner than a sample is made sense of."""
        least = (LOOKS_S if self.from_scramble else _VECTORS_S) + 2 * self.whole_s
        if self.seconds < _GAIN * least:
            took = f"takes about {1e3 * self.seconds:.0f} ms of one core"
            raise NotSampledError(f"reading all {self.rows:,} rows {took}", rows=self.rows)
        if self.whole_s > _WHOLE_MOST * self.seconds:
            share = f"{self.whole_s / self.seconds:.0%} of the rows"
            raise NotSampledError(f"each look would read {share} whole, in the tables joined", rows=self.rows)
        if budget_s is not None and self.seconds < 0.5 * budget_s:
            raise NotSampledError(f"reading everything fits the budget: about {self.seconds:.2g} s")


_TABLES = "SELECT database_name, schema_name, table_name, estimated_size FROM duckdb_tables()"

_KNOWN: dict[tuple[str, State], list[tuple[Any, ...]]] = {}
"""What it gave for the last state of a file; a temporary table made since costs only time."""


def _stored(reader: Reader) -> list[tuple[Any, ...]]:
    """(database, schema, name, rows) of all tables."""
    if reader.state is None:
        return reader.rows(_TABLES)
    key = reader.database.target, reader.state
    found = _KNOWN.get(key)
    if found is None:
        found = reader.rows(_TABLES)
        _KNOWN.clear()
        _KNOWN[key] = found
    return found


def exact_cost(reader: Reader, drawing: Drawing) -> Cost:
    """Of `drawing`'s statement."""
    each = seconds_per_value(reader)
    from_scramble = drawing.source.rows_per_unit_max == 1 or isinstance(drawing.source, KeyScramble)
    return Cost(drawing.rows, drawing.values * each, drawing.values_whole * each, from_scramble)


def require_large(reader: Reader, tree: exp.Expr) -> None:
    """Raise :class:`NotSampledError` before any planning where all tables named are small; no view is looked into."""
    tables = {table.name.lower() for table in tree.find_all(exp.Table)}
    columns = {column.name.lower() for column in tree.find_all(exp.Column)}
    stored = [found for found in _stored(reader) if found[2].lower() in tables]
    rows = {name.lower(): 0 for *_, name, _ in stored}
    if not tables - rows.keys() <= {cte.alias.lower() for cte in tree.find_all(exp.CTE)}:
        return
    for *_, name, size in stored:
        rows[name.lower()] = max(int(size or 0), rows[name.lower()])
    each = seconds_per_value(reader)
    all_rows = sum(rows.values())
    Cost(all_rows, all_rows * (1 + len(columns)) * each, 0.0, True).require_worth_sampling(None)  # at most
    named = dict.fromkeys(rows, 1)
    for *place, name, _ in stored:
        named[name.lower()] += sum(c.lower() in columns for c in reader.columns(".".join(map(quote, [*place, name]))))
    values = [size * named[name] for name, size in rows.items()]
    is_joined_before = has_key_copies(reader) or bool(catalogued_joins(reader, None))
    whole = 0 if is_joined_before else sum(values) - max(values, default=0)
    Cost(all_rows, sum(values) * each, whole * each, True).require_worth_sampling(None)
