"""What reading everything would take, told from metadata, so that sampling is not tried where it cannot win."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from suffice.answer.tables.sampling_plan import SamplingPlan
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.tables.pace import seconds_per_value
from suffice.tables.reader import Reader

LOOKS_S = 0.05
"""CPU seconds of two looks beyond the reading, and some room: planning, statistics, composing the rows."""

_WHOLE_VECTORS_S = 0.15  # drawing vectors runs on one thread and is set up anew for each look


@dataclass(frozen=True)
class Cost:
    """Of the exact answer.

    Attributes:
        rows, values: rows of all tables, and of them the values that the statement names.
        seconds: of CPU, predicted from the pace of this machine.
    """

    rows: int
    values: int
    seconds: float
    from_scramble: bool

    def require_worth_sampling(self, budget_s: float | None) -> None:
        """Raise :class:`NotSampledError` where everything is read sooner than a sample is made sense of."""
        least = LOOKS_S if self.from_scramble else _WHOLE_VECTORS_S
        if self.seconds < least:
            raise NotSampledError(f"reading all {self.rows:,} rows takes about {1e3 * self.seconds:.0f} ms")
        if budget_s is not None and self.seconds < 0.5 * budget_s:
            raise NotSampledError(f"reading everything fits the budget: about {self.seconds:.2g} s")


def exact_cost(reader: Reader, plan: SamplingPlan) -> Cost:
    """Of `plan`'s statement."""
    columns = 1 + len({c.name.lower() for c in plan.statement.find_all(exp.Column)})
    rows = plan.source.rows + plan.rows_whole
    values = rows * columns
    seconds = values * seconds_per_value(reader)
    return Cost(rows, values, seconds, plan.source.rows_per_unit_max == 1)
