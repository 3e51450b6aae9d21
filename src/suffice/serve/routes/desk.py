"""Where requests for work are taken: each becomes a job, and is answered with its end or its state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Response

from suffice.serve.jobs import Job, Jobs
from suffice.serve.lanes import Lanes
from suffice.serve.problems import HttpError
from suffice.serve.routes.context import Jobs_, Lanes_, Owner
from suffice.serve.routes.jobs import JobView, view

RUNNING: dict[int | str, dict[str, Any]] = {202: {"model": JobView, "description": "Still running: watch the job."}}
"""For the OpenAPI document of a route that makes jobs."""

IdempotencyKey = Annotated[str | None, Header(max_length=200, description="Asked twice under one key, it runs once.")]


@dataclass(frozen=True)
class Desk:
    """One request's: what its job runs on, and how it is answered."""

    lanes: Lanes
    jobs: Jobs
    owner: str
    key: str | None
    response: Response

    async def take(self, kind: str, asked: str, wait_s: float, run: Callable[[Job, int], Any]) -> JobView:
        """Queue `run`: its end if that comes within `wait_s`, else 202 and its state.

        Raises:
            HttpError: the job failed within `wait_s`, the queue is full, or the key stands for another request.
        """
        job = self.jobs.submit(kind, asked, run, owner=self.owner, key=self.key)
        if not await job.wait(wait_s):
            self.response.status_code = 202
        elif job.error:
            raise HttpError(*job.error, {"Location": f"/api/jobs/{job.id}"})
        return view(job)


async def _desk(
    response: Response, lanes: Lanes_, jobs: Jobs_, owner: Owner, idempotency_key: IdempotencyKey = None
) -> Desk:
    return Desk(lanes, jobs, owner, idempotency_key, response)


Desk_ = Annotated[Desk, Depends(_desk)]
