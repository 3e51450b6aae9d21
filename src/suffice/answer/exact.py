"""Exact answers: make the calls known, then let DuckDB answer the user's own query over the store."""

from __future__ import annotations

import time

from suffice.answer.engine import Engine
from suffice.answer.materialise import Materialiser
from suffice.answer.recursion import run_steps, without_recursion
from suffice.answer.work import Work
from suffice.sql.plan import Bound
from suffice.sql.rewrite.as_sql import answer_sql
from suffice.sql.rewrite.early_limit import Walk, early_limit
from suffice.sql.sparse import SparsePlan, plan_sparsely


def answer_exactly(engine: Engine, bound: Bound, work: Work, *, sparse: bool = True) -> str:
    """Run the models `bound` needs (or, not `sparse`, on all there is); the SQL that then gives its answer."""
    materialiser = Materialiser(engine, work, sparse)

    def answer(part: Bound) -> str:
        work.found.clear()  # each step has inputs of its own
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
    sparse = materialiser.sparse
    walk = early_limit(plan) if sparse else None
    if walk is None and sparse and plan.sites and bound.tree.args.get("limit") is not None and not bound.media:
        bound, plan, walk = _over_numbered_tables(engine, bound, plan)
    materialiser.work.spend("plan", time.perf_counter() - started)
    if walk is not None and plan.sites:
        from suffice.answer.limit import answer_limited

        return answer_limited(engine, bound, walk, materialiser), plan
    materialiser.run(plan)
    return answer_sql(bound), plan


def _over_numbered_tables(engine: Engine, bound: Bound, plan: SparsePlan) -> tuple[Bound, SparsePlan, Walk | None]:
    """A LIMIT over tables of the user walks the first of them, where it may stop early."""
    from suffice.answer.base_units import with_numbered_tables

    numbered = with_numbered_tables(engine, bound, "VIEW")
    again = plan_sparsely(numbered, engine.describe)
    walk = early_limit(again)
    return (numbered, again, walk) if walk is not None else (bound, plan, None)
