"""Files that jobs made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse

from suffice.serve.callers import READER
from suffice.serve.made import made_path
from suffice.serve.problems import HttpError
from suffice.serve.routes.context import Settings_

Name = Annotated[str, InPath(max_length=100, pattern=r"^[\w-]+(\.[\w-]+)+$")]

router = APIRouter(prefix="/api/made", tags=["making"], dependencies=[READER])


@router.get("/{name}", response_class=FileResponse)
def made(
    name: Annotated[str, InPath(max_length=100, pattern=r"^[\w-]+(\.[\w-]+)+$")], settings: Settings_
) -> FileResponse:
    """A picture or clip that a job made."""
    path = made_path(settings, name)
    if not path.is_file():
        raise HttpError(404, f"nothing called {name!r} was made here")
    return FileResponse(path, content_disposition_type="inline")
