"""The model service: ``POST /models/NAME`` with inputs, outputs come back; health and metrics beside it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel
from starlette.routing import Route

import suffice
from suffice.errors import nearest
from suffice.models.plain import plain
from suffice.models.protocol import Signature
from suffice.models.registry import Registry
from suffice.serve.callers import READER, RUNNER, needs
from suffice.serve.limits import Limits
from suffice.serve.problems import RESPONSES, HttpError, handle_problems
from suffice.serve.service.batcher import Batcher, Outcome
from suffice.serve.service.inputs import BODIES, read_inputs
from suffice.serve.service.metrics import ModelMetrics, exposition
from suffice.serve.settings import Role, ServeSettings

router = APIRouter()
_may_run = needs(Role.RUN)

Name = Annotated[str, Path(max_length=200)]


class Outputs(BaseModel):
    """One element an input: its output rows, or ``{"error": why}``."""

    outputs: list[list[dict[str, Any]] | dict[str, str]]


class ServedModel(BaseModel):
    """A model that can be called here."""

    name: str
    version: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    returns: str
    batch_size: int
    waiting: int


class ServedModels(BaseModel):
    models: list[ServedModel]


def create_service(settings: ServeSettings, registry: Registry, names: list[str]) -> FastAPI:
    """A service of the models `names`."""
    batchers = {name: Batcher(registry.model(name, {}), ModelMetrics()) for name in names}

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for batcher in batchers.values():
            batcher.close()

    app = FastAPI(
        title="suffice models",
        version=suffice.__version__,
        lifespan=lifespan,
        responses=RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings, app.state.batchers = settings, batchers
    handle_problems(app)
    app.router.routes.append(Route("/models/{name}", _predict_at_once, methods=["POST"], include_in_schema=False))
    app.include_router(router)
    app.add_middleware(Limits, settings=settings)
    return app


async def _predict_at_once(request: Request) -> Response:
    """:func:`predict`, which the OpenAPI document describes, past FastAPI's solving of parameters.

    After an inference the processor's caches hold nothing of a server's code, and that solving costs a millisecond.
    """
    await _may_run(request)
    return await predict(request, request.path_params["name"])


def _batchers(request: Request) -> Mapping[str, Batcher]:
    batchers: Mapping[str, Batcher] = request.app.state.batchers
    return batchers


def _batcher(request: Request, name: str) -> Batcher:
    batchers = _batchers(request)
    if name not in batchers:
        raise HttpError(404, f"no model {name!r} is served here{nearest(name, batchers)}")
    return batchers[name]


@router.get("/health")
async def health() -> dict[str, str]:
    """Answers while the service lives."""
    return {"status": "ok", "version": suffice.__version__}


@router.get("/metrics", dependencies=[READER], response_class=PlainTextResponse)
async def metrics(request: Request) -> PlainTextResponse:
    """Counts in Prometheus' text format."""
    batchers = _batchers(request)
    waiting = {name: one.waiting for name, one in batchers.items()}
    text = exposition({name: one.metrics for name, one in batchers.items()}, waiting)
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")


@router.get("/models", dependencies=[READER])
async def models(request: Request) -> ServedModels:
    """What is served, with its columns."""
    return ServedModels(models=[_described(name, one) for name, one in _batchers(request).items()])


@router.get("/models/{name}", dependencies=[READER])
async def model(request: Request, name: Name) -> ServedModel:
    """One model, with its columns."""
    return _described(name, _batcher(request, name))


@router.post(
    "/models/{name}",
    dependencies=[RUNNER],
    openapi_extra={"requestBody": {"required": True, "content": BODIES}},
    response_model=Outputs,
)
async def predict(request: Request, name: Name) -> Response:
    """Run a model on up to 256 inputs."""
    batcher = _batcher(request, name)
    inputs = read_inputs(batcher.model.signature, request.headers.get("content-type", ""), await request.body())
    outputs = await _predict(batcher, inputs)
    return Response(json.dumps({"outputs": outputs}, allow_nan=False), media_type="application/json")


async def _predict(batcher: Batcher, inputs: list[dict[str, Any]]) -> list[Any]:
    started = time.perf_counter()
    futures = batcher.submit(inputs)
    outcomes = await asyncio.gather(*map(asyncio.wrap_future, futures))
    failed = sum(isinstance(one, Exception) for one in outcomes)
    batcher.metrics.answered(time.perf_counter() - started, failed)
    return [_output(batcher.model.signature, one) for one in outcomes]


def _output(signature: Signature, outcome: Outcome) -> list[dict[str, Any]] | dict[str, str]:
    if isinstance(outcome, Exception):
        return {"error": f"{type(outcome).__name__}: {outcome}"}
    names = [column.name for column in signature.outputs]
    return [dict(zip(names, plain(row), strict=True)) for row in outcome]


def _described(name: str, batcher: Batcher) -> ServedModel:
    signature = batcher.model.signature
    return ServedModel(
        name=name,
        version=signature.version,
        inputs={column.name: column.type for column in signature.inputs},
        outputs={column.name: column.type for column in signature.outputs},
        returns=signature.returns,
        batch_size=signature.batch_size,
        waiting=batcher.waiting,
    )
