"""What routes find on the application."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import Depends, Request

from suffice.serve.callers import COOKIE
from suffice.serve.jobs import Jobs
from suffice.serve.lanes import Lanes
from suffice.serve.settings import ServeSettings


async def _settings(request: Request) -> ServeSettings:
    settings: ServeSettings = request.app.state.settings
    return settings


async def _lanes(request: Request) -> Lanes:
    lanes: Lanes = request.app.state.lanes
    return lanes


async def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


async def _owner(request: Request) -> str:
    """Tells callers apart without keeping their tokens."""
    given = request.headers.get("authorization") or request.cookies.get(COOKIE, "")
    return hashlib.sha256(given.removeprefix("Bearer ").encode()).hexdigest()[:16]


Settings_ = Annotated[ServeSettings, Depends(_settings)]
Lanes_ = Annotated[Lanes, Depends(_lanes)]
Jobs_ = Annotated[Jobs, Depends(_jobs)]
Owner = Annotated[str, Depends(_owner)]
