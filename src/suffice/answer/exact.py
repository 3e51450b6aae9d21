"""Exact answers: make the calls known, then let DuckDB answer the user's own query over the store."""

from __future__ import annotations

import time

from suffice.answer.engine import Engine
from suffice.answer.limit import answer_limited
from suffice.answer.materialise import Materialiser
from suffice.answer.recursion import run_steps, without_recursion
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import early_limit
from suffice.sql.sparse import SparsePlan, plan_sparsely


def answer_exactly(engine: Engine, bound: Bound, work: Work, *, sparse: bool = True) -> str:
    """Run the models `bound` needs (or, not `sparse`, on all there is); the SQL that then gives its answer."""
    materialiser = Materialiser(engine, work, sparse)

    def answer(part: Bound) -> str:
        materialiser.found.clear()  # each step has inputs of its own
        return _answer(engine, part, materialiser)[0]

    sql, plan = _answer(engine, without_recursion(engine, bound, run_steps(answer)), materialiser)
    if plan is not None:
        materialiser.count_skipped(plan)
    return sql


def _answer(engine: Engine, bound: Bound, materialiser: Materialiser) -> tuple[str, SparsePlan | None]:
    if not bound.calls:
        return answer_sql(bound), None
    started = time.perf_counter()
    plan = plan_sparsely(bound, engine.describe)
    walk = early_limit(plan) if materialiser.sparse else None
    materialiser.work.spend("plan", time.perf_counter() - started)
    if walk is not None and plan.sites:
        return answer_limited(engine, bound, walk, materialiser), plan
    materialiser.run(plan)
    return answer_sql(bound), plan
