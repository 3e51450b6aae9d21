"""The application: routes, limits, errors, and the page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

import suffice
from suffice.models.http.allowed_hosts import restrict_hosts
from suffice.serve.callers import COOKIE
from suffice.serve.jobs import Jobs
from suffice.serve.lanes import Lanes
from suffice.serve.limits import Limits
from suffice.serve.problems import RESPONSES, handle_problems
from suffice.serve.routes import ROUTERS
from suffice.serve.settings import ServeSettings

STUDIO = Path(__file__).parent / "studio"


def create_app(settings: ServeSettings) -> FastAPI:
    """The server of `settings`; its connections open as it starts."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.lanes.open_ahead()
        yield
        app.state.jobs.close()
        app.state.lanes.close()

    app = FastAPI(
        title="suffice",
        version=suffice.__version__,
        summary="Just enough compute for the answer you asked for.",
        lifespan=lifespan,
        responses=RESPONSES,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    restrict_hosts(settings.model_hosts)
    app.state.settings = settings
    app.state.lanes = Lanes(settings)
    app.state.jobs = Jobs(app.state.lanes.count, settings.queue_max)
    handle_problems(app)
    for router in ROUTERS:
        app.include_router(router)
    _serve_page(app)
    app.add_middleware(Limits, settings=settings)
    return app


def _serve_page(app: FastAPI) -> None:
    app.mount("/studio", StaticFiles(directory=STUDIO), name="studio")

    @app.get("/", include_in_schema=False)
    def page(request: Request, token: str | None = None) -> Response:
        """The studio; a ``?token=`` is moved into a cookie, so that it stays out of the history."""
        if token is None:
            return FileResponse(STUDIO / "index.html", headers={"Cache-Control": "no-cache"})
        response = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, token, httponly=True, samesite="strict", secure=secure)
        return response
