"""Masks: words and clicks to masks; what sd-webui-segment-anything serves, with data instead of pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from suffice.errors import UsageError
from suffice.serve.callers import READER, RUNNER
from suffice.serve.jobs import Job
from suffice.serve.lanes import Lanes
from suffice.serve.networks import Networks
from suffice.serve.routes.context import Lanes_
from suffice.serve.routes.desk import RUNNING, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.settings import Role
from suffice.serve.sources import Source

if TYPE_CHECKING:
    from suffice.masks.prompt import Prompt
    from suffice.masks.steps import Step
    from suffice.media.mask_rle import Mask

router = APIRouter(prefix="/api/masks", tags=["masks"])

Word = Annotated[str, Field(min_length=1, max_length=200)]
BoxXyxy = tuple[float, float, float, float]


class Click(BaseModel):
    """A point in pixels of the picture, on the thing or off it."""

    x: float
    y: float
    is_on: bool = True


class Rle(BaseModel):
    """A mask in COCO's run lengths: compressed text, or counts."""

    size: tuple[Annotated[int, Field(gt=0, le=20_000)], Annotated[int, Field(gt=0, le=20_000)]]
    counts: str | list[int]

    def decoded(self) -> Mask:
        """Raises :class:`MediaError` when the runs do not fit the size."""
        from suffice.media.mask_rle import decode_rle

        return decode_rle(self.model_dump())


class RleArea(BaseModel):
    """A mask and its pixels."""

    rle: Rle
    area: int


Steps = Annotated[list[Annotated[str, Field(max_length=60)]], Field(max_length=20)]
"""Done to every mask, in order: ``grow=4``, ``shrink=2``, ``fill-holes``, ``drop-islands=50``, ``invert``."""


def parsed(steps: Steps) -> list[Step]:
    """Raises :class:`UsageError` for a step that is none."""
    from suffice.masks.steps import parse_step

    return [parse_step(step) for step in steps]


class Wish(Networks):
    """What is wanted: any mix of clicks, boxes, words and a mask from before, or everything."""

    points: list[Click] = Field(default=[], max_length=1000)
    boxes: list[BoxXyxy] = Field(default=[], max_length=1000)
    mask: Rle | None = None
    texts: list[Word] = Field(default=[], max_length=50)
    everything: bool = False
    box_score_min: float | None = Field(default=None, ge=0, le=1)
    text_score_min: float | None = Field(default=None, ge=0, le=1)
    iou_max: float = Field(default=0.7, ge=0, le=1, description="Of two found boxes that overlap more, one stays.")
    chosen: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, description="Numbers of found boxes.")
    steps: Steps = Field(default=[])

    def prompt(self) -> Prompt:
        """Raises :class:`UsageError` when it is not clear what clicks are for."""
        from suffice.masks.prompt import Point, Prompt, ThingPrompt

        points = tuple(Point(click.x, click.y, click.is_on) for click in self.points)
        mask = None if self.mask is None else self.mask.decoded()
        if len(self.boxes) > 1 and (points or mask is not None):
            raise UsageError("clicks and a mask go with one box or with none")
        things = [ThingPrompt(points, box, mask) for box in self.boxes]
        if not things and (points or mask is not None):
            things = [ThingPrompt(points, None, mask)]
        return Prompt(
            tuple(things),
            tuple(self.texts),
            box_score_min=self.box_score_min,
            text_score_min=self.text_score_min,
            iou_max=self.iou_max,
            chosen=None if self.chosen is None else tuple(self.chosen),
            everything=self.everything,
        )


class Asked(Wish):
    """What is wanted of one picture."""

    source: Source
    candidates: bool = Field(default=False, description="All readings of a prompt, not the best alone.")
    wait_s: float = Field(default=10, ge=0, le=30)


class FoundBox(BaseModel):
    """A box that a word found; `number` is what `chosen` of a later request means."""

    number: int
    label: str
    asked: str
    score: float
    box_xyxy: BoxXyxy


class FoundBoxes(BaseModel):
    boxes: list[FoundBox]


class Wanted(BaseModel):
    """A mask and steps to do with it, such as ``grow=4`` or ``fill-holes``."""

    mask: Rle
    steps: Steps = Field(min_length=1)


class Names(BaseModel):
    segmenters: list[str]
    finders: list[str]


@router.get("/models", dependencies=[READER])
def models() -> Names:
    """Segmenters and finders that are installed here."""
    from suffice.masks import api

    return Names.model_validate(api.models())


@router.post("", responses=RUNNING)
async def masks(asked: Asked, desk: Desk_, role: Annotated[Role, RUNNER]) -> JobView:
    """Masks of what is asked. The picture is encoded once: later prompts on it cost only themselves."""
    asked.check_role(role)

    def run(job: Job, lane: int) -> Any:
        return job.result(_answer(asked, desk.lanes))

    named = asked.model_dump_json(exclude={"source": {"data"}, "wait_s": True})
    return await desk.take("masks", named, asked.wait_s, run)


@router.post("/boxes")
def boxes(asked: Asked, lanes: Lanes_, role: Annotated[Role, RUNNER]) -> FoundBoxes:
    """Boxes that words find, with their scores, best first, without masks."""
    from suffice.masks import api

    asked.check_role(role)
    found = api.find(asked.source.pixels(lanes), asked.prompt(), asked.made_finder(lanes.settings.roots))
    return FoundBoxes.model_validate(found)


@router.post("/steps", dependencies=[READER])
def steps(wanted: Wanted) -> Rle:
    """A mask after steps: grow, shrink, fill-holes, drop-islands, invert."""
    from suffice.masks import api

    return Rle.model_validate(api.change(wanted.mask.decoded(), parsed(wanted.steps))["rle"])


def _answer(asked: Asked, lanes: Lanes) -> dict[str, Any]:
    from suffice.masks import api

    roots = lanes.settings.roots
    return api.predict(
        asked.source.pixels(lanes),
        asked.prompt(),
        asked.made_segmenter(roots),
        asked.made_finder(roots),
        lanes.embeddings,
        parsed(asked.steps),
        asked.candidates,
    )
