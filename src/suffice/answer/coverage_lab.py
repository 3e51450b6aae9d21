"""How often a statement's guarantee holds on the user's own data: sampled again and again from results paid for once.

The statement is first answered exactly, which computes whatever the store lacks. Every run then draws as if nothing
were known, at the price of a look-up, and its intervals are held against the exact answer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from suffice.answer.aggregate import AggregateRun
from suffice.answer.asked import CONFIDENCE, with_units
from suffice.answer.bounded_query import bounded_query
from suffice.answer.engine import Engine
from suffice.answer.exact import answer_exactly
from suffice.answer.guaranteed import Answer
from suffice.answer.kinds import kind_of
from suffice.answer.work import Work
from suffice.errors import UsageError
from suffice.estimate.lab import CoverageCell, tolerance
from suffice.sql.plan import Bound
from suffice.sql.sparse import plan_sparsely
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError

Row = tuple[Any, ...]


def query_coverage(engine: Engine, bound: Bound, target: Target, runs: int, seed: int) -> CoverageCell:
    """Share of `runs` in which every interval of the answer held the exact value.

    Raises:
        UsageError: no aggregate with a target, or one that is always answered exactly.
    """
    if kind_of(bound, target) != "aggregate":
        raise UsageError("coverage is of aggregates: SELECT count(*) … WITHIN e% CONFIDENCE p%")
    plan = plan_sparsely(with_units(engine, bound), engine.describe)
    try:
        query, _ = bounded_query(engine, plan, target, seed, Work())
    except NoBoundError as reason:
        raise UsageError(f"this statement is always answered exactly ({reason}): there is nothing to cover") from None
    with engine.database.lock:
        exact = engine.database.connection.execute(answer_exactly(engine, bound, Work())).to_arrow_table()
    held, sampled = [], []
    for child in np.random.SeedSequence(seed).spawn(runs):
        run = AggregateRun(engine, bound, query, target, int(child.generate_state(1)[0]), Work(), is_blind=True)
        *_, last = run.answers()
        held.append(_holds(last, exact.to_pylist()))
        sampled.append(last.guarantee.sampled if last.guarantee else 0)
    nominal = target.confidence or CONFIDENCE
    return CoverageCell(
        procedure="statement",
        population=f"{run.sample.size} units",
        nominal=nominal,
        observed=float(np.mean(held)),
        runs=runs,
        tolerance=tolerance(nominal, runs),
        mean_n=float(np.mean(sampled)),
    )


def _holds(answer: Answer, exact: list[dict[str, Any]]) -> bool:
    """Whether every row of the answer is one of the exact answer, with all its intervals round the values there."""
    assert answer.guarantee is not None and not isinstance(answer.rows, str)
    intervals = answer.guarantee.intervals
    names = [name for name in answer.rows.column_names if name not in intervals]
    truth = {_key(row, names): row for row in exact}
    for number, row in enumerate(answer.rows.to_pylist()):
        found = truth.get(_key(row, names))
        if found is None or not all(_inside(found[name], ends[number]) for name, ends in intervals.items()):
            return False
    return True


def _key(row: Mapping[str, Any], names: list[str]) -> Row:
    return tuple(row[name] for name in names)


def _inside(value: Any, ends: tuple[float, float]) -> bool:
    if value is None:
        return not any(map(math.isfinite, ends))  # nothing was claimed of it
    slack = 1e-9 * (1 + abs(float(value)))
    return bool(ends[0] - slack <= float(value) <= ends[1] + slack)
