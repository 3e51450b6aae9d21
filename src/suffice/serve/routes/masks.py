"""Masks: words and clicks to masks; what sd-webui-segment-anything serves, with data instead of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from suffice.errors import UsageError
from suffice.serve.callers import READER, RUNNER
from suffice.serve.jobs import Job
from suffice.serve.routes.context import Lanes_
from suffice.serve.routes.desk import RUNNING, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.sources import Source

if TYPE_CHECKING:
    from suffice.masks.prompt import Prompt

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


class Asked(BaseModel):
    """What is wanted of a picture: any mix of clicks, boxes, words and a mask from before, or everything."""

    source: Source
    points: list[Click] = Field(default=[], max_length=1000)
    boxes: list[BoxXyxy] = Field(default=[], max_length=1000)
    mask: Rle | None = None
    texts: list[Word] = Field(default=[], max_length=50)
    everything: bool = False
    box_score_min: float | None = Field(default=None, ge=0, le=1)
    chosen: list[Annotated[int, Field(ge=0)]] | None = Field(default=None, description="Numbers of found boxes.")
    model: Literal["default"] = "default"
    candidates: bool = Field(default=False, description="All readings of a prompt, not the best alone.")
    wait_s: float = Field(default=10, ge=0, le=30)


class Found(BaseModel):
    """A box that a word found."""

    label: str
    score: float
    box_xyxy: BoxXyxy


class FoundBoxes(BaseModel):
    boxes: list[Found]


class Wanted(BaseModel):
    """A mask and steps to do with it, such as ``grow=4`` or ``fill-holes``."""

    mask: Rle
    steps: list[Annotated[str, Field(max_length=60)]] = Field(min_length=1, max_length=20)


class Names(BaseModel):
    segmenters: list[str]
    finders: list[str]


@router.get("/models", dependencies=[READER])
def models() -> Names:
    """Segmenters and finders that are installed here."""
    from suffice.masks.names import FINDERS, SEGMENTERS, names_of

    return Names(segmenters=names_of(SEGMENTERS), finders=names_of(FINDERS))


@router.post("", responses=RUNNING, dependencies=[RUNNER])
async def masks(asked: Asked, desk: Desk_) -> JobView:
    """Masks of what is asked. The picture is encoded once: later prompts on it cost only themselves."""

    def run(job: Job, lane: int) -> Any:
        return job.result(_answer(asked, desk.lanes))

    named = asked.model_dump_json(exclude={"source": {"data"}, "wait_s": True})
    return await desk.take("masks", named, asked.wait_s, run)


@router.post("/boxes", dependencies=[RUNNER])
def boxes(asked: Asked, lanes: Lanes_) -> FoundBoxes:
    """Boxes that words find, with their scores, best first, without masks."""
    from suffice.masks.names import finder_named
    from suffice.masks.settle_found import settle_found

    if not asked.texts:
        raise UsageError("boxes are found by words: give texts")
    prompt = _prompt(asked)
    found = settle_found(finder_named("default").find(asked.source.pixels(lanes), prompt), prompt)
    return FoundBoxes(boxes=[Found(label=f.label, score=f.score, box_xyxy=f.box_xyxy) for f in found])


@router.post("/steps", dependencies=[READER])
def steps(wanted: Wanted) -> Rle:
    """A mask after steps: grow, shrink, fill-holes, drop-islands, invert."""
    from suffice.masks.steps import parse_step, take_steps
    from suffice.media.mask_rle import decode_rle, encode_rle

    done = take_steps(decode_rle(wanted.mask.model_dump()), [parse_step(step) for step in wanted.steps])
    return Rle.model_validate(encode_rle(done))


def _answer(asked: Asked, lanes: Lanes_) -> dict[str, Any]:
    from suffice.masks.ask import ask
    from suffice.masks.names import finder_named, segmenter_named

    image = asked.source.pixels(lanes)
    things = ask(image, _prompt(asked), segmenter_named(asked.model), finder_named("default"), lanes.embeddings)
    objects = [dict(thing.as_json()) for thing in things]
    if asked.candidates:
        for each, thing in zip(objects, things, strict=True):
            each["candidates"] = _candidates(thing.candidates)
    return {"size_wh": [image.shape[1], image.shape[0]], "objects": objects}


def _candidates(candidates: Sequence[Any]) -> list[dict[str, Any]]:
    from suffice.media.mask_rle import encode_rle

    return [{"score": round(one.score, 4), "rle": encode_rle(one.mask)} for one in candidates]


def _prompt(asked: Asked) -> Prompt:
    from suffice.masks.prompt import Point, Prompt, ThingPrompt
    from suffice.media.mask_rle import decode_rle

    points = tuple(Point(click.x, click.y, click.is_on) for click in asked.points)
    mask = None if asked.mask is None else decode_rle(asked.mask.model_dump())
    if len(asked.boxes) > 1 and (points or mask is not None):
        raise UsageError("clicks and a mask go with one box or with none")
    things = [ThingPrompt(points, box, mask) for box in asked.boxes]
    if not things and (points or mask is not None):
        things = [ThingPrompt(points, None, mask)]
    return Prompt(
        tuple(things),
        tuple(asked.texts),
        box_score_min=asked.box_score_min,
        chosen=None if asked.chosen is None else tuple(asked.chosen),
        everything=asked.everything,
    )
