"""Exact answers: make the calls known, then let DuckDB answer the user's own query over the store."""

from __future__ import annotations

import time

from suffice.answer.engine import Engine
from suffice.answer.limit import answer_limited
from suffice.answer.materialise import Materialiser
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import early_limit
from suffice.sql.sparse import plan_sparsely


def answer_exactly(engine: Engine, bound: Bound, work: Work, *, sparse: bool = True) -> str:
    """Run the models `bound` needs (or, not `sparse`, on all there is); the SQL that then gives its answer."""
    if not bound.calls:
        return answer_sql(bound)
    started = time.perf_counter()
    plan = plan_sparsely(bound, engine.describe)
    walk = early_limit(plan) if sparse else None
    work.spend("plan", time.perf_counter() - started)
    materialiser = Materialiser(engine, work, sparse)
    if walk is not None and plan.sites:
        sql = answer_limited(engine, bound, walk, materialiser)
    else:
        materialiser.run(plan)
        sql = answer_sql(bound)
    materialiser.count_skipped(plan)
    return sql
