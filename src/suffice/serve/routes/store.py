"""Models, what the store keeps, problems, and where a row comes from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from suffice.models.plain import plain
from suffice.serve.callers import READER
from suffice.serve.routes.context import Lanes_
from suffice.serve.routes.media import Reference

router = APIRouter(prefix="/api", tags=["store"], dependencies=[READER])


class Table(BaseModel):
    rows: list[dict[str, Any]]


class Step(BaseModel):
    """One stage of a row's way: what it is, and what models made of it."""

    what: str
    detail: str
    reference: str | None
    results: list[dict[str, Any]]


class Lineage(BaseModel):
    steps: list[Step]


@router.get("/models")
def models(lanes: Lanes_) -> Table:
    """What can be called, and why not where it cannot."""
    return Table(rows=plain(lanes.rows("FROM models")))


@router.get("/store")
def store(lanes: Lanes_) -> dict[str, Any]:
    """Files, blobs, bytes, and each model's kept results, hit rate, seconds and spend."""
    summary: dict[str, Any] = plain(lanes.get().store.summary())
    return summary


@router.get("/problems")
def problems(lanes: Lanes_, limit: Annotated[int, Query(ge=1, le=1000)] = 200) -> Table:
    """Files and inputs that failed, newest first."""
    return Table(rows=plain(lanes.rows(f"SELECT * FROM problems ORDER BY noted_at DESC LIMIT {limit}")))


@router.get("/lineage")
def lineage(ref: Reference, lanes: Lanes_) -> Lineage:
    """Why a row is here: the file, the frame or page, each crop, and what every model said of it."""
    connection = lanes.get()
    steps = [Step(what="file", detail=connection.path(ref), reference=None, results=[])]
    for each in _ancestors(ref):
        results = plain(connection.store.known(each.reference))
        steps.append(Step(what=each.what, detail=each.detail, reference=each.reference, results=results))
    return Lineage(steps=steps)


class _Ancestor(BaseModel):
    what: str
    detail: str
    reference: str


def _ancestors(ref: str) -> list[_Ancestor]:
    """The picture a reference starts from, then each crop of it."""
    from suffice.media.reference import parse_reference

    parsed = parse_reference(ref)
    name = {"vid": "frame", "doc": "page", "img": "picture"}[parsed.kind]
    whole, *crops = ref.split("@")
    found = [_Ancestor(what=name, detail=str(parsed.index) if parsed.kind != "img" else "", reference=whole)]
    for crop in crops:
        found.append(_Ancestor(what="crop", detail=crop, reference=f"{found[-1].reference}@{crop}"))
    return found
