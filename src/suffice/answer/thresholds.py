"""The thresholds at which a statement's quantiles are tested: round what a few units say, before any bet is made."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from suffice.answer.engine import Engine
from suffice.answer.unit_sample import CHOSEN, UnitSample
from suffice.answer.work import Work
from suffice.estimate.bounded_quantile import value_grid
from suffice.sql.rewrite.as_sql import need_sql
from suffice.sql.sparse import SparsePlan
from suffice.sql.target import Target
from suffice.sql.units.no_bound import NoBoundError
from suffice.sql.units.unit_query import Looks, UnitQuery, unit_query

if TYPE_CHECKING:
    from sqlglot import exp

PILOT_UNITS = 40
GROUPS_MAX = 4
"""Groups whose quantiles get thresholds of their own; with more, a statement is answered exactly."""


def with_thresholds(
    engine: Engine, plan: SparsePlan, looks: Looks, target: Target, seed: int, work: Work
) -> tuple[UnitQuery, int]:
    """The statement as units, and how many units were asked so that its quantiles have thresholds (0 without any).

    Raises:
        NoBoundError: it cannot be answered from a sample.
    """
    query = unit_query(plan, looks)
    if not query.formulas.quantiles:
        return query, 0
    sample = UnitSample(engine, query, work)
    known, rng = np.flatnonzero(sample.known()), np.random.default_rng(seed)
    new = np.zeros(0, dtype=np.int64)
    if known.size < PILOT_UNITS:
        left = np.setdiff1d(np.arange(sample.size), known)
        most = PILOT_UNITS if target.budget_calls is None else min(PILOT_UNITS, target.budget_calls // 4)
        new = rng.choice(left, min(most, left.size), replace=False)
    chosen = np.append(new, rng.choice(known, min(known.size, 10 * PILOT_UNITS), replace=False))
    if chosen.size:
        sample.ask(chosen)
    error = target.error_relative_max or 0.05
    grids = {node.sql("duckdb"): _grid(engine, query, node, error) for node in query.formulas.quantiles}
    return unit_query(plan, replace(looks, grids=grids)), int(new.size)


def _grid(engine: Engine, query: UnitQuery, node: exp.Expr, error: float) -> tuple[float, ...]:
    """Thresholds round the quantile of each group among the units last chosen."""
    from sqlglot import exp

    body = query.tree.copy()
    for part in ("having", "order", "limit", "offset", "distinct", "qualify"):
        body.set(part, None)
    body.set("expressions", [exp.alias_(exp.cast(node.copy(), "DOUBLE"), "guess")])
    rows = engine.database.rows(need_sql(body, query.over(CHOSEN).bound, query.plan.base_sql))
    guesses = sorted({float(str(row[0])) for row in rows if row[0] is not None})
    if len(guesses) > GROUPS_MAX:
        raise NoBoundError("quantiles of many groups have no thresholds in common")
    parts = [value_grid(guess, error, -math.inf, math.inf) for guess in guesses or [math.nan]]
    return tuple(float(t) for t in np.unique(np.concatenate(parts)))
