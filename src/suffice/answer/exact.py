"""Exact answers: make the calls known, then let DuckDB answer the user's own query over the store."""

from __future__ import annotations

import time

from suffice.answer.base_units import with_numbered_tables
from suffice.answer.engine import Engine
from suffice.answer.limit import answer_limited
from suffice.answer.materialise import Materialiser
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import Walk, early_limit
from suffice.sql.sparse import SparsePlan, plan_sparsely


def answer_exactly(engine: Engine, bound: Bound, work: Work, *, sparse: bool = True) -> str:
    """Run the models `bound` needs (or, not `sparse`, on all there is); the SQL that then gives its answer."""
    if not bound.calls:
        return answer_sql(bound)
    started = time.perf_counter()
    plan = plan_sparsely(bound, engine.describe)
    walk = early_limit(plan) if sparse else None
    if walk is None and sparse and bound.tree.args.get("limit") is not None and not bound.media:
        bound, plan, walk = _over_numbered_tables(engine, bound, plan)
    work.spend("plan", time.perf_counter() - started)
    materialiser = Materialiser(engine, work, sparse)
    if walk is not None and plan.sites:
        sql = answer_limited(engine, bound, walk, materialiser)
    else:
        materialiser.run(plan)
        sql = answer_sql(bound)
    materialiser.count_skipped(plan)
    return sql


def _over_numbered_tables(engine: Engine, bound: Bound, plan: SparsePlan) -> tuple[Bound, SparsePlan, Walk | None]:
    """A LIMIT over tables of the user walks a numbered copy of the first of them, where it may stop early."""
    numbered = with_numbered_tables(engine, bound)
    again = plan_sparsely(numbered, engine.describe)
    walk = early_limit(again)
    return (numbered, again, walk) if walk is not None else (bound, plan, None)
