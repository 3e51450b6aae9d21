"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from suffice.errors import SufficeError, UsageError


class Problem(BaseModel):
    """What every error looks like."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class HttpError(Exception):
    """An error with a status of its own."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})


class BusyError(HttpError):
    """Come back after `seconds`."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(429, detail, {"Retry-After": str(max(1, round(seconds)))})


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response of an error."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail)
    return JSONResponse(
        body.model_dump(), status, media_type="application/problem+json", headers=dict(headers) if headers else None
    )


def status_of(error: SufficeError) -> int:
    """400 for what was asked wrongly, 422 for what was asked well and cannot be done."""
    return 400 if isinstance(error, UsageError) else 422


def handle_problems(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""

    @app.exception_handler(HttpError)
    async def _own(_: Request, error: HttpError) -> Response:
        return problem(error.status, error.detail, error.headers)

    @app.exception_handler(SufficeError)
    async def _suffice(_: Request, error: SufficeError) -> Response:
        return problem(status_of(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_: Request, error: RequestValidationError) -> Response:
        return problem(422, "; ".join(map(_one_line, error.errors())))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> Response:
        return problem(500, f"{type(error).__name__}: the server failed on this request; its log says where")


def _one_line(error: dict[str, Any]) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}, "description": HTTPStatus(status).phrase}
    for status in (400, 401, 403, 404, 409, 413, 422, 429)
}
"""For the OpenAPI document: what any route may answer besides its own."""
