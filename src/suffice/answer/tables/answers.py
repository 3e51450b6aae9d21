"""Answers over tables to a target: sampled where that is honest and pays, exact with the reason where not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from suffice.answer.engine import Engine
from suffice.answer.guarantee import Guarantee
from suffice.answer.tables.compose import composed
from suffice.answer.tables.cost import Cost, exact_cost, require_large
from suffice.answer.tables.io_bytes import read_so_far
from suffice.answer.tables.looks import Look, Looks
from suffice.answer.tables.not_again import remember, require_new
from suffice.answer.tables.quantile_looks import QuantileLook, QuantileLooks, QuantilePlan, plan_quantiles
from suffice.answer.tables.remembered_plans import remembered_plan
from suffice.answer.tables.sampling_plan import SamplingPlan, plan_sampling
from suffice.answer.tables.session import require_plain_session
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.aggregate.ranked import has_quantiles
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.target import Target
from suffice.store.database import quote
from suffice.store.explained import one_line
from suffice.tables.file_state import target_state
from suffice.tables.open_source import rows_of
from suffice.tables.reader import Reader, snapshot
from suffice.tables.source import UnreadableLayoutError

if TYPE_CHECKING:
    from suffice.answer.guaranteed import Answer

Plan = SamplingPlan | QuantilePlan

CONFIDENCE = 0.95
"""Where the statement does not say."""

_FINITE = "units drawn uniformly at random; no value lies outside the column ranges known beforehand"


@dataclass(frozen=True)
class Asking:
    """One statement, what it asks, and the room it has.

    Attributes:
        deadline_s: on `time.perf_counter`.
    """

    engine: Engine
    bound: Bound
    target: Target
    seed: int
    work: Work
    deadline_s: float | None

    @property
    def confidence(self) -> float:
        return self.target.confidence or CONFIDENCE

    def guarantee_target(self) -> dict[str, float]:
        """As the guarantee repeats it."""
        asked = {"error_relative_max": self.target.error_relative_max, "budget_s": self.target.budget_s}
        return {name: value for name, value in asked.items() if value is not None}


def table_answers(engine: Engine, bound: Bound, target: Target, seed: int, work: Work) -> Iterator[Answer]:
    """Answer a query without models to `target`; see :func:`suffice.answer.guaranteed.answers`."""
    require_table_target(target)
    deadline_s = None if target.budget_s is None else time.perf_counter() + target.budget_s
    asking = Asking(engine, bound, target, seed, work, deadline_s)
    before = read_so_far()
    try:
        yield from _sampled(asking)
    except NotSampledError as reason:
        yield _exact(asking, reason)
    finally:
        work.bytes_read += read_so_far() - before


def require_table_target(target: Target) -> None:
    """Refuse what tables have no answer to; raises :class:`UsageError`."""
    if target.recall_min is not None or target.precision_min is not None:
        raise UsageError("RECALL and PRECISION are for selections by a model; over tables ask WITHIN e% CONFIDENCE p%")
    if target.budget_calls is not None:
        raise UsageError(
            "BUDGET n CALLS counts model calls, and this statement has none; over tables ask BUDGET t SECONDS"
        )
    if target.error_relative_max is None and target.budget_s is None:
        raise UsageError("CONFIDENCE alone asks for nothing: add WITHIN e% or BUDGET t SECONDS")
    if target.budget_s is not None and not target.budget_s > 0:
        raise UsageError("BUDGET t SECONDS: more than 0 seconds are needed")
    if target.confidence is not None and target.confidence < 0.5:
        raise UsageError(f"CONFIDENCE {100 * target.confidence:g}%: less than 50% promises nothing")


def prepared(asking: Asking, reader: Reader) -> tuple[Plan, Cost]:
    """The plan and the exact cost; raises :class:`NotSampledError` when sampling is out before anything is read."""
    tree = asking.bound.tree
    if not isinstance(tree, exp.Select):
        raise NotSampledError(f"{tree.key.upper()} of queries has no bound on a sample")
    reader = replace(reader, learns=asking.engine.sample_always)
    planned: Callable[[exp.Select, Reader], Plan] = plan_quantiles if has_quantiles(tree) else plan_sampling
    if not asking.engine.sample_always:
        require_new(reader, asking.bound.text, asking.target.error_relative_max, asking.confidence)
    plan = remembered_plan(reader, asking.bound.text, lambda: planned(tree, reader))
    cost = exact_cost(reader, plan.drawing)
    if not asking.engine.sample_always:
        cost.require_worth_sampling(asking.target.budget_s)
    return plan, cost


def require_samplable(asking: Asking) -> None:
    """Raise :class:`NotSampledError` for what no snapshot can show."""
    if asking.bound.media:
        raise NotSampledError("media tables are small")
    database = asking.engine.database
    if not asking.engine.sample_always:
        reader = Reader(database, database.connection, target_state(database))
        require_new(reader, asking.bound.text, None, 0.0)
        try:
            require_large(reader, asking.bound.tree)
        except NotSampledError as reason:
            remember(reader, asking.bound.text, None, 0.0, reason)
            raise
    require_plain_session(database, asking.bound.tree)


def _sampled(asking: Asking) -> Iterator[Answer]:
    import duckdb

    started = time.perf_counter()
    require_samplable(asking)
    try:
        with snapshot(asking.engine.database) as reader:
            if isinstance(tree := asking.bound.tree, exp.Union):
                from suffice.answer.tables.union_parts import union_answer

                yield union_answer(asking, tree, reader)
                return
            plan = _planned(asking, reader)
            asking.work.spend("plan", time.perf_counter() - started)
            for looks, look, sql, order in rows_of_looks(asking, plan, reader):
                yield answer_of(asking, looks, look, sql, order)
    except UnreadableLayoutError as error:
        raise NotSampledError(str(error)) from error
    except duckdb.Error as error:  # whatever is wrong with the statement, the exact one says it best
        raise NotSampledError(one_line(error)) from error


def _planned(asking: Asking, reader: Reader) -> Plan:
    """The plan; why there is none is remembered as well."""
    try:
        return prepared(asking, reader)[0]
    except NotSampledError as reason:
        if not asking.engine.sample_always and not reason.from_metadata:
            remember(reader, asking.bound.text, asking.target.error_relative_max, asking.confidence, reason)
        raise


def rows_of_looks(
    asking: Asking, plan: Plan, reader: Reader
) -> Iterator[tuple[Looks | QuantileLooks, Look | QuantileLook, str, list[int]]]:
    """Looks with the SQL that gives their rows until the next one, and the group of each row."""
    looks = looks_at(asking, plan, reader, every=asking.work.is_streamed)
    started, before = time.perf_counter(), asking.work.rows_read
    try:
        for look in looks.run():
            asking.work.spend("sample", time.perf_counter() - started)
            asking.work.rows_read = before + looks.rows_read
            found = looks.groups, look.shown, look.estimates()
            with composed(asking.engine.database, reader, plan.final, *found) as (sql, order):
                yield looks, look, sql, order
            started = time.perf_counter()
    except NotSampledError as error:
        remember(reader, asking.bound.text, asking.target.error_relative_max, asking.confidence, error)
        asking.work.rows_read = before + looks.rows_read
        asking.work.spend("sample", time.perf_counter() - started)
        raise


def looks_at(asking: Asking, plan: Plan, reader: Reader, *, every: bool = False) -> Looks | QuantileLooks:
    """The looks that answer `plan`."""
    limits = asking.target.error_relative_max, asking.confidence, asking.deadline_s
    if isinstance(plan, QuantilePlan):
        return QuantileLooks(plan, reader, asking.seed, *limits, every=every)
    return Looks(plan, reader, asking.seed, *limits, every=every)


def answer_of(
    asking: Asking, looks: Looks | QuantileLooks, look: Look | QuantileLook, sql: str, order: list[int]
) -> Answer:
    """A look as an answer."""
    from suffice.answer.guaranteed import Answer

    plan, source = looks.plan, looks.plan.source
    ends = {plan.names[i]: found for i, found in look.ends().items()}
    details = {"looks": look.number, "decided": look.decided, "drawn_from": source.method, "rows_total": source.rows}
    if look.is_guess:
        details["rows_by_estimates"] = True
    if plan.query.keys:
        details["groups_missing_rows_max"] = look.unseen_units_max * source.rows_per_unit_max
    guarantee = Guarantee(
        target=asking.guarantee_target(),
        confidence=asking.confidence,
        tier="finite-sample",
        method=looks.method,
        intervals={n: [(float(low[g]), float(high[g])) for g in order] for n, (low, high) in ends.items()},
        sampled=looks.units,
        population=source.units,
        seed=asking.seed,
        assumptions=(_FINITE, *source.assumptions),
        details=details,
    )
    return Answer(sql, guarantee, plan.names)


def _exact(asking: Asking, reason: NotSampledError) -> Answer:
    from suffice.answer.guaranteed import Answer

    rows = _rows_of_tables(asking) if reason.rows is None else reason.rows
    asking.work.rows_read += 0 if reason.from_metadata else rows
    guarantee = Guarantee(
        target=asking.guarantee_target(),
        confidence=1.0,
        tier="exact",
        method=f"from metadata: {reason}" if reason.from_metadata else f"answered exactly: {reason}",
        intervals={},
        sampled=rows,
        population=rows,
        seed=asking.seed,
        assumptions=(),
    )
    return Answer(asking.bound.text if asking.bound.is_plain else answer_sql(asking.bound), guarantee)


def _rows_of_tables(asking: Asking) -> int:
    """Rows of the stored tables that the statement names, as the catalogue has them."""
    names = {table.name.lower() for table in asking.bound.tree.find_all(exp.Table)}
    database = asking.engine.database
    if database.lake is not None or database.clickhouse is not None:
        return _rows_of_views(Reader(database, database.connection), names)
    sizes = database.rows("SELECT lower(table_name), estimated_size FROM duckdb_tables()")
    return sum(int(str(size or 0)) for name, size in sizes if name in names)


def _rows_of_views(reader: Reader, names: Iterable[str]) -> int:
    import duckdb

    rows = 0
    for name in names:
        with suppress(duckdb.Error):  # the name of a CTE
            rows += rows_of(reader, quote(name))
    return rows
