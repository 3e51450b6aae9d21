"""Whether the server is there, and what it offers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel

import suffice
from suffice.serve.callers import READER
from suffice.serve.routes.context import Jobs_, Settings_
from suffice.serve.settings import Role

router = APIRouter(prefix="/api", tags=["server"])


class Health(BaseModel):
    status: str
    version: str


class Server(BaseModel):
    """What this caller may do here."""

    version: str
    role: str
    target: str
    roots: list[str]
    waiting: int


@router.get("/health")
async def health() -> Health:
    """Answers while the server lives; needs no token and says nothing of what it holds."""
    return Health(status="ok", version=suffice.__version__)


@router.get("/server")
async def server(settings: Settings_, jobs: Jobs_, role: Annotated[Role, READER]) -> Server:
    """The caller's role, the target and the roots."""
    from suffice.store.database import without_password

    return Server(
        version=suffice.__version__,
        role=role.name.lower(),
        target=without_password(settings.target),
        roots=[str(root) for root in settings.roots],
        waiting=jobs.waiting,
    )
