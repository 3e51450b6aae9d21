"""Semantic maps and masks by category, by a checkpoint below the server's roots: models of one's own are an admin's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from suffice.serve.callers import ADMIN
from suffice.serve.lanes import Lanes
from suffice.serve.networks import Networks, within
from suffice.serve.routes.desk import RUNNING, Desk, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.routes.masks import Rle, Steps, parsed
from suffice.serve.sources import Source

if TYPE_CHECKING:
    from suffice.masks.semantic.semantic_map import SemanticMap
    from suffice.media.mask_rle import Mask

router = APIRouter(prefix="/api/masks", tags=["masks"], dependencies=[ADMIN])


class Mapped(BaseModel):
    """A picture, the network that gives each of its pixels a class, and masks that make the map sharper."""

    source: Source
    model: Annotated[str, Field(max_length=1000, pattern=r"^hf:.+$", description="A SegFormer, Mask2Former, …")]
    masks: list[Rle] = Field(default=[], max_length=1000, description="Each gets the commonest class inside it.")
    enhance: str | None = Field(default=None, max_length=1000, description="A segmenter whose masks are taken.")
    wait_s: float = Field(default=10, ge=0, le=30)


class Semantic(Mapped):
    majority_min: float = Field(default=0, ge=0, le=1, description="Least share of a mask for its class to count.")


class Category(Mapped):
    include: str = Field(min_length=1, max_length=2000, description="Names or ids: sky+21.")
    exclude: str = Field(default="", max_length=2000)
    steps: Steps = Field(default=[])


@router.post("/semantic", responses=RUNNING)
async def semantic(asked: Semantic, desk: Desk_) -> JobView:
    """The class of every pixel: areas by name, and a mask for each."""
    from suffice.masks import api

    def answer(found: SemanticMap, masks: list[Mask]) -> dict[str, Any]:
        return api.semantic(found, masks, asked.majority_min)

    return await _take(desk, "semantic", asked, answer)


@router.post("/category", responses=RUNNING)
async def category(asked: Category, desk: Desk_) -> JobView:
    """One mask of all pixels of some classes, without those of others."""
    from suffice.masks import api

    def answer(found: SemanticMap, masks: list[Mask]) -> dict[str, Any]:
        return api.category(found, asked.include, asked.exclude, masks, parsed(asked.steps))

    return await _take(desk, "category", asked, answer)


async def _take(desk: Desk, kind: str, asked: Mapped, answer: Any) -> JobView:
    named = asked.model_dump_json(exclude={"source": {"data"}, "masks": True, "wait_s": True})
    return await desk.take(
        kind, named, asked.wait_s, lambda job, lane: job.result(answer(*_map_and_masks(asked, desk.lanes)))
    )


def _map_and_masks(asked: Mapped, lanes: Lanes) -> tuple[SemanticMap, list[Mask]]:
    from suffice.masks.semantic.checkpoint_map import CheckpointMap

    image = asked.source.pixels(lanes)
    maker = CheckpointMap(within(asked.model, lanes.settings.roots).removeprefix("hf:"))
    masks = [each.decoded() for each in asked.masks]
    if asked.enhance is not None:
        segmenter = Networks(model=asked.enhance).made_segmenter(lanes.settings.roots)
        masks += [each.mask for each in segmenter.everything(lanes.embeddings.encode(segmenter, image))]
    return maker.map_of(image), masks
