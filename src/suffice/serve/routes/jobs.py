"""Jobs: their state, events as they happen, the rows of answers, cancelling."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from suffice.answer.result import Result
from suffice.models.plain import plain
from suffice.serve.callers import READER
from suffice.serve.jobs import ENDED, Job, Jobs, State
from suffice.serve.problems import HttpError
from suffice.serve.routes.context import Jobs_, Owner
from suffice.serve.settings import Role

router = APIRouter(prefix="/api/jobs", tags=["jobs"])

HEARTBEAT_S = 15.0

JobId = Annotated[str, Path(max_length=64, description="A job's id.")]


class JobView(BaseModel):
    """A job as callers see it; `result` is there when it is done, as its kind describes."""

    id: str
    kind: str
    asked: str
    state: State
    error: str | None
    status: int | None
    seconds: float
    result: dict[str, Any] | None


class JobList(BaseModel):
    jobs: list[JobView]
    waiting: int


class Rows(BaseModel):
    columns: list[str]
    rows: list[list[Any]]
    offset: int
    row_count: int


def view(job: Job) -> JobView:
    """What callers see of a job."""
    answers = [event.data for event in job.events if event.kind in ("answer", "result")]
    return JobView(
        id=job.id,
        kind=job.kind,
        asked=job.asked[:2000],
        state=job.state,
        error=job.error[1] if job.error else None,
        status=job.error[0] if job.error else None,
        seconds=round((job.ended_s or time.time()) - job.created_s, 3),
        result=answers[-1] if answers and job.state == "done" else None,
    )


@router.get("")
async def list_jobs(jobs: Jobs_, owner: Owner, role: Annotated[Role, READER]) -> JobList:
    """The last jobs, newest first: one's own, an admin sees all."""
    seen = [job for job in jobs if job.owner == owner or role >= Role.ADMIN]
    return JobList(jobs=[view(job).model_copy(update={"result": None}) for job in seen], waiting=jobs.waiting)


@router.get("/{job_id}")
async def get_job(
    job_id: JobId,
    jobs: Jobs_,
    owner: Owner,
    role: Annotated[Role, READER],
    wait_s: Annotated[float, Query(ge=0, le=30, description="How long to wait for its end.")] = 0,
) -> JobView:
    """A job's state and, when it is done, its result."""
    job = own_job(jobs, job_id, owner, role)
    await job.wait(wait_s)
    return view(job)


@router.delete("/{job_id}", status_code=202)
async def cancel_job(job_id: JobId, jobs: Jobs_, owner: Owner, role: Annotated[Role, READER]) -> JobView:
    """Ask a job to stop; what it has computed is kept."""
    job = own_job(jobs, job_id, owner, role)
    jobs.cancel(job)
    return view(job)


@router.get("/{job_id}/rows")
def job_rows(
    job_id: JobId,
    jobs: Jobs_,
    owner: Owner,
    role: Annotated[Role, READER],
    offset: Annotated[int, Query(ge=0, le=2**40)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Rows:
    """Rows of a finished statement, a page at a time."""
    job = own_job(jobs, job_id, owner, role)
    if not isinstance(job.value, Result):
        raise HttpError(409, f"job {job.id} is {job.state} and has no rows")
    rows = plain(job.value.head(limit, offset=offset))
    return Rows(columns=job.value.columns, rows=rows, offset=offset, row_count=len(job.value))


@router.get(
    "/{job_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}, "description": "Events until the job ends."}},
)
async def job_events(
    job_id: JobId,
    jobs: Jobs_,
    owner: Owner,
    role: Annotated[Role, READER],
    after: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> StreamingResponse:
    """Server-sent events: progress, answers as they get closer, and the end. `after` skips those seen."""
    job = own_job(jobs, job_id, owner, role)
    return StreamingResponse(_stream(job, after), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


def own_job(jobs: Jobs, job_id: str, owner: str, role: Role) -> Job:
    """The job, when it is the caller's to see."""
    job = jobs.get(job_id)
    if job.owner != owner and role < Role.ADMIN:
        raise HttpError(404, f"there is no job {job_id!r} of yours")
    return job


async def _stream(job: Job, after: int) -> AsyncIterator[str]:
    while True:
        events = await job.since(after, HEARTBEAT_S)
        for event in events:
            after = event.number
            yield f"id: {event.number}\nevent: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
            if event.kind in ENDED:
                return
        if not events:
            if job.state in ENDED:
                return
            yield ": still here\n\n"
