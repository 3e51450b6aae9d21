"""Exact answers: make the calls known, then let DuckDB answer the user's own query over the store."""

from __future__ import annotations

import time

from suffice.answer.engine import Engine
from suffice.answer.materialise import Materialiser
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.sparse import plan_sparsely


def answer_exactly(engine: Engine, bound: Bound, work: Work) -> str:
    """Run the models `bound` needs; the SQL that then gives its answer."""
    started = time.perf_counter()
    plan = plan_sparsely(bound, engine.describe)
    work.spend("plan", time.perf_counter() - started)
    Materialiser(engine, work).run(plan)
    return answer_sql(bound)
