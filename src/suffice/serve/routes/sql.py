"""Statements: asked, explained, and what one may write in them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from suffice.serve.callers import READER
from suffice.serve.jobs import Job
from suffice.serve.routes.context import Lanes_
from suffice.serve.routes.desk import RUNNING, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.settings import Role
from suffice.serve.statements import check_statement
from suffice.store.catalogue import MEDIA

router = APIRouter(prefix="/api", tags=["sql"])


class Statement(BaseModel):
    """One statement."""

    query: str = Field(min_length=1, max_length=100_000, examples=["SELECT 6 * 7 AS answer"])
    seed: int | None = Field(default=None, ge=0, lt=2**31, description="Of whatever is sampled.")
    wait_s: float = Field(default=10, ge=0, le=30, description="How long to wait before answering with the job alone.")


@router.post("/sql", responses=RUNNING)
async def ask(statement: Statement, desk: Desk_, role: Annotated[Role, READER]) -> JobView:
    """Run a statement. The answer is a job: done within `wait_s`, or to be watched under ``/api/jobs``."""
    await run_in_threadpool(check_statement, statement.query, role)

    def run(job: Job, lane: int) -> Any:
        return desk.lanes.ask(job, lane, statement.query, statement.seed, role)

    return await desk.take("sql", statement.query, statement.wait_s, run)


class Words(BaseModel):
    """What a statement may be made of here, for completion."""

    media: dict[str, list[str]]
    models: list[dict[str, Any]]
    relations: dict[str, list[str]]
    clauses: list[str]


@router.get("/words", dependencies=[READER])
def words(lanes: Lanes_) -> Words:
    """Media functions, models, tables and views with their columns, and the clauses of guarantees."""
    columns = lanes.rows(
        "SELECT table_name AS name, list(column_name ORDER BY column_index) AS columns FROM duckdb_columns()"
        " WHERE NOT internal AND schema_name NOT IN ('suffice') AND database_name <> 'temp' GROUP BY table_name"
    )
    own: dict[str, list[str]] = {name: [] for name in lanes.get().views}
    return Words(
        media={name: ["path", *medium.columns] for name, medium in MEDIA.items()},
        models=lanes.rows("SELECT name, inputs, outputs, returns, problem FROM models ORDER BY name"),
        relations={**own, **{row["name"]: row["columns"] for row in columns}},
        clauses=["WITHIN 5% CONFIDENCE 95%", "RECALL 90%", "PRECISION 90%", "BUDGET 200 CALLS"],
    )
