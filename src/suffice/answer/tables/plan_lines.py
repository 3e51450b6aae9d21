"""EXPLAIN of a statement with a target over tables: the choice, what it is predicted to read, and what exact reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from suffice.answer.engine import Engine
from suffice.answer.tables.answers import (
    Asking,
    Plan,
    looks_at,
    prepared,
    require_samplable,
    require_table_target,
    table_answers,
)
from suffice.answer.tables.cost import Cost
from suffice.answer.work import Work
from suffice.sql.aggregate.from_tables import table_name_sql
from suffice.sql.aggregate.not_sampled import NotSampledError
from suffice.sql.plan import Bound
from suffice.sql.target import Target
from suffice.store.explained import one_line
from suffice.tables.reader import Reader, snapshot
from suffice.tables.stored_bytes import stored_bytes

if TYPE_CHECKING:
    from suffice.answer.guaranteed import Answer


def table_plan_lines(
    engine: Engine, bound: Bound, target: Target, seed: int, work: Work, *, analyze: bool
) -> list[str]:
    """Lines of the plan; predicting takes a first small draw, `analyze` answers as well."""
    require_table_target(target)
    asking = Asking(engine, bound, target, seed, work, None)
    lines = [_asked(asking), *_predicted(asking)]
    return [*lines, *_actual(asking)] if analyze else lines


def _asked(asking: Asking) -> str:
    error, budget = asking.target.error_relative_max, asking.target.budget_s
    wanted = [] if error is None else [f"within {100 * error:g}%"]
    wanted += [] if budget is None else [f"as close as {budget:g} s buy"]
    return f"{' and '.join(wanted)} at {100 * asking.confidence:g}%, seed {asking.seed}"


def _predicted(asking: Asking) -> list[str]:
    import duckdb

    try:
        require_samplable(asking)
        with snapshot(asking.engine.database) as reader:
            plan, cost = prepared(asking, reader)
            return list(_choice(asking, plan, cost, reader))
    except (NotSampledError, duckdb.Error) as error:
        return [f"  exact: {one_line(error)}"]


def _choice(asking: Asking, plan: Plan, cost: Cost, reader: Reader) -> Iterator[str]:
    name, source = table_name_sql(plan.drawing.table, "duckdb"), plan.source
    whole = stored_bytes(reader, name, plan.drawing.columns())
    yield f"  sample {name}: {source.method}, {source.units:,} units of {source.rows:,} rows"
    yield from [f"  read whole: {plan.drawing.rows_whole:,} rows of joined tables"] if plan.drawing.rows_whole else []
    if asking.target.error_relative_max is not None:
        looks = looks_at(asking, plan, reader)
        share = looks.predict() / source.units
        asking.work.rows_read += looks.rows_read
        yield (
            f"  predicted: {share:.2%} of {name}, about {share * source.rows:,.0f} rows{_bytes(share * whole)}"
            f" (from a first draw of {looks.units:,} units)"
        )
    yield f"  exact plan: {cost.rows:,} rows{_bytes(whole)}, about {1e3 * cost.seconds:,.0f} ms"


def _bytes(count: float) -> str:
    return f", {count / 1e6:,.1f} MB" if count else ""


def _actual(asking: Asking) -> Iterator[str]:
    from suffice.answer.result import Result

    started, last = time.perf_counter(), None
    database = asking.engine.database
    for answer in table_answers(asking.engine, asking.bound, asking.target, asking.seed, asking.work):
        last = answer
        if isinstance(answer.rows, str):  # an exact answer is work only when it runs
            Result(database, answer.rows, asking.work, _no_image)
    assert last is not None
    yield f"  actual: {_told(last)}"
    work = asking.work
    yield f"  read: {work.rows_read:,} rows, {work.bytes_read / 1e6:,.1f} MB, {time.perf_counter() - started:.3f} s"


def _told(answer: Answer) -> str:
    return str(answer.guarantee)


def _no_image(reference: str) -> Any:
    raise NotSampledError(f"{reference}: a plan shows no pictures")
