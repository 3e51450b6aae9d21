"""Everything an answer needs at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from suffice.answer.work import Work
from suffice.errors import SufficeError
from suffice.models.engines import InferenceEngine
from suffice.models.registry import Registry
from suffice.sql.plan import BoundCall
from suffice.store.catalogue import Catalogue
from suffice.store.database import Database
from suffice.store.results import ResultStore


class BudgetReachedError(SufficeError):
    """What a statement may spend does not reach for what it needs next; what was computed so far is kept."""


@dataclass(frozen=True)
class QueryBudget:
    """What one statement may spend on models; None is no limit."""

    max_calls: int | None = None
    max_price: float | None = None
    max_seconds: float | None = None

    def check(self, call: BoundCall, inputs: int, work: Work, results: ResultStore) -> None:
        """Refuse before anything is spent; raises :class:`SufficeError` that says what would be needed."""
        spent = work.model_calls.values()
        needs: tuple[tuple[str, float | None, float], ...] = (
            ("max_calls", self.max_calls, sum(one.done for one in spent) + inputs),
            ("max_price", self.max_price, sum(one.price for one in spent) + inputs * call.model.signature.price),
            (
                "max_seconds",
                self.max_seconds,
                sum(one.seconds for one in spent) + inputs * results.seconds_per_input(call.call),
            ),
        )
        for name, limit, needed in needs:
            if limit is not None and needed > limit:
                raise BudgetReachedError(
                    f"{call.name} has {inputs:,} inputs to compute, which takes {name} to {needed:,.6g};"
                    f" the budget allows {limit:,.6g}; what was computed so far is kept"
                )


@dataclass
class Engine:
    """The parts of a connection. `show_progress` None means: when stderr is a terminal. `sample_always`: tables are
    sampled even where reading everything is predicted to be as fast."""

    database: Database
    catalogue: Catalogue
    results: ResultStore
    registry: Registry
    inference: InferenceEngine
    show_progress: bool | None = None
    budget: QueryBudget = QueryBudget()
    sample_always: bool = False
    complete: dict[tuple[object, ...], int] = field(default_factory=dict)
    """Needs found complete, and how many inputs they had. Results are only ever added, so they stay so; over tables
    of the user, which may change, nothing is remembered. :meth:`forget` when results are dropped."""

    passing: list[str] = field(default_factory=list)
    """Temporary tables that the answer in the making reads and no later one does."""

    def forget(self) -> None:
        self.complete.clear()

    def drop_passing(self) -> None:
        while self.passing:
            self.database.rows(f"DROP TABLE IF EXISTS {self.passing.pop()}")

    def describe(self, relation_sql: str) -> Mapping[str, str]:
        """Columns and types of a relation; empty when it stands only beside others."""
        import duckdb

        try:
            rows = self.database.rows(f"DESCRIBE SELECT * FROM {relation_sql}")
        except duckdb.Error:
            return {}
        return {str(row[0]).lower(): str(row[1]) for row in rows}


class InterruptedWorkError(SufficeError):
    """Ctrl-C: the answer is not there, everything computed until then is kept."""
