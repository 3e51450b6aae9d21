"""Pictures and clips from diffusion models, federated runs: long work, each a job with progress."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from suffice.serve.as_json import plain
from suffice.serve.callers import RUNNER
from suffice.serve.jobs import Job
from suffice.serve.lanes import Lanes
from suffice.serve.made import made_path, made_url
from suffice.serve.routes.context import Jobs_, Lanes_, Owner
from suffice.serve.routes.jobs import JobView, answered
from suffice.serve.routes.masks import Rle
from suffice.serve.routes.sql import IdempotencyKey
from suffice.serve.settings import Role
from suffice.serve.sources import Source

router = APIRouter(prefix="/api", tags=["making"])

Runner = Annotated[Role, RUNNER]
_RUNNING: dict[int | str, dict[str, Any]] = {202: {"model": JobView, "description": "Still running: watch the job."}}
FRAMES_MAX, STEPS_MAX, SIDE_PX_MAX = 256, 100, 1024


class Painting(BaseModel):
    """What every picture and clip is made from. Models of one's own are an admin's to run, on the command line."""

    negative: str = Field(default="", max_length=2000)
    steps: int = Field(default=20, ge=1, le=STEPS_MAX)
    guidance: float = Field(default=7.5, ge=0, le=50)
    scheduler: str = Field(default="", max_length=40)
    seed: int = Field(default=0, ge=0, lt=2**31)
    wait_s: float = Field(default=0, ge=0, le=30)


class Inpaint(Painting):
    """A picture, painted anew where the mask is; every other pixel stays."""

    source: Source
    mask: Rle
    prompt: str = Field(max_length=2000)


class Animate(Painting):
    """A clip from a timeline of prompts."""

    timeline: str = Field(min_length=1, max_length=20_000)
    frames: int = Field(default=16, ge=1, le=FRAMES_MAX)
    fps: float = Field(default=8, gt=0, le=60)
    loop: Literal["N", "R-P", "R+P", "A"] = "N"
    format: Literal["mp4", "webm", "gif", "webp"] = "mp4"


class Regional(BaseModel):
    """A picture over regions that rest when they have settled."""

    prompt: str = Field(min_length=1, max_length=2000)
    skip: str = Field(default="auto", max_length=20, description="off, auto or budget=F.")
    seed: int = Field(default=0, ge=0, lt=2**31)
    steps: int = Field(default=20, ge=1, le=STEPS_MAX)
    wait_s: float = Field(default=0, ge=0, le=30)


class Federate(BaseModel):
    """A federated run, simulated: FedScale's YAML keys."""

    config: str = Field(min_length=1, max_length=20_000)
    rounds: int = Field(default=20, ge=1, le=1000)
    seed: int = Field(default=0, ge=0, lt=2**31)
    wait_s: float = Field(default=0, ge=0, le=30)


@router.post("/inpaint", responses=_RUNNING)
def inpaint(
    asked: Inpaint,
    response: Response,
    lanes: Lanes_,
    jobs: Jobs_,
    owner: Owner,
    _: Runner,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Paint what the mask shows anew."""

    def run(job: Job, lane: int) -> Any:
        return job.result(_inpaint(job, asked, lanes))

    job = jobs.submit("inpaint", _named(asked), run, owner=owner, key=idempotency_key)
    return answered(job, response, asked.wait_s)


@router.post("/animate", responses=_RUNNING)
def animate(
    asked: Animate,
    response: Response,
    lanes: Lanes_,
    jobs: Jobs_,
    owner: Owner,
    _: Runner,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Make a clip from a timeline."""

    def run(job: Job, lane: int) -> Any:
        settings = asked.model_dump(exclude={"wait_s", "format"})
        return job.result(_make(job, settings, made_path(lanes.settings, f"{job.id}.{asked.format}")))

    job = jobs.submit("animate", _named(asked), run, owner=owner, key=idempotency_key)
    return answered(job, response, asked.wait_s)


@router.post("/regional", responses=_RUNNING)
def regional(
    asked: Regional,
    response: Response,
    lanes: Lanes_,
    jobs: Jobs_,
    owner: Owner,
    _: Runner,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Draw a picture over regions, and a map of which regions ran at which step."""

    def run(job: Job, lane: int) -> Any:
        return job.result(_regional(job, asked, lanes))

    job = jobs.submit("regional", _named(asked), run, owner=owner, key=idempotency_key)
    return answered(job, response, asked.wait_s)


@router.post("/federate", responses=_RUNNING)
def federate(
    asked: Federate,
    response: Response,
    lanes: Lanes_,
    jobs: Jobs_,
    owner: Owner,
    _: Runner,
    idempotency_key: IdempotencyKey = None,
) -> JobView:
    """Simulate a federated run; every round is an event."""

    def run(job: Job, lane: int) -> Any:
        return job.result(_federate(job, asked, lanes))

    job = jobs.submit("federate", _named(asked), run, owner=owner, key=idempotency_key)
    return answered(job, response, asked.wait_s)


def _named(asked: BaseModel) -> str:
    """The request without what is large or does not change it."""
    return asked.model_dump_json(exclude={"source": {"data"}, "wait_s": True})


def _inpaint(job: Job, asked: Inpaint, lanes: Lanes) -> dict[str, Any]:
    import json

    import PIL.Image

    image = made_path(lanes.settings, f"{job.id}.before.png")
    PIL.Image.fromarray(asked.source.pixels(lanes)).save(image)
    settings = asked.model_dump(include={"negative", "steps", "guidance", "scheduler", "seed"})
    settings |= {"init": str(image), "mask": json.dumps(asked.mask.model_dump()), "timeline": asked.prompt}
    return _make(job, {**settings, "frames": 1, "only_masked": True}, image.with_name(f"{job.id}.png"))


def _make(job: Job, settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """A clip or picture by the packaged weights; steps and frames are told as they are done."""
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.clip.write import write_clip
    from suffice.diffusion.settings import settings_from

    wanted = settings_from(settings)
    clip = Animator(wanted.model).animate(wanted, lambda done, of, latents: job.progress("steps", done, of))

    def told() -> Any:
        for number, frame in enumerate(clip.frames, 1):
            job.progress("frames", number, clip.count)
            yield frame

    count = write_clip(out, told(), clip.fps, clip.settings.as_json())
    return {"url": made_url(out), "frames": count, "settings": clip.settings.as_json()}


def _regional(job: Job, asked: Regional, lanes: Lanes) -> dict[str, Any]:
    from suffice.regional.run import run_to_file
    from suffice.regional.settings import RequestSettings, parse_skip

    settings = RequestSettings(asked.prompt, steps=asked.steps, seed=asked.seed, skip=parse_skip(asked.skip))
    done = iter(range(1, asked.steps + 1))
    report = run_to_file(
        settings,
        made_path(lanes.settings, f"{job.id}.png"),
        explain=True,
        stepped=lambda plan: job.progress("steps", next(done, asked.steps), asked.steps),
    )
    shown = report.as_json()
    return {**shown, "url": made_url(report.file), "explain_url": made_url(report.explain or "")}


def _federate(job: Job, asked: Federate, lanes: Lanes) -> dict[str, Any]:
    from suffice.federated import read_config, simulate

    config = made_path(lanes.settings, f"{job.id}.yaml")
    config.write_text(asked.config, encoding="utf-8")
    settings = read_config(config, rounds=asked.rounds, seed=asked.seed)
    report = simulate(settings, on_round=lambda record: job.say("round", plain(asdict(record))))
    return report.as_json()
