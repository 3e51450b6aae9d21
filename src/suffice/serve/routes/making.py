"""Pictures and clips from diffusion models, federated runs: long work, each a job with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from suffice.models.plain import plain
from suffice.serve.callers import RUNNER
from suffice.serve.jobs import CancelledError, Job
from suffice.serve.lanes import Lanes
from suffice.serve.made import made_path, made_url
from suffice.serve.routes.desk import RUNNING, Desk, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.routes.masks import Rle
from suffice.serve.sources import Source

router = APIRouter(prefix="/api", tags=["making"], dependencies=[RUNNER])

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


@router.post("/inpaint", responses=RUNNING)
async def inpaint(asked: Inpaint, desk: Desk_) -> JobView:
    """Paint what the mask shows anew."""
    return await _take(desk, "inpaint", asked, _inpaint)


@router.post("/animate", responses=RUNNING)
async def animate(asked: Animate, desk: Desk_) -> JobView:
    """Make a clip from a timeline."""
    return await _take(desk, "animate", asked, _animate)


@router.post("/regional", responses=RUNNING)
async def regional(asked: Regional, desk: Desk_) -> JobView:
    """Draw a picture over regions, and a map of which regions ran at which step."""
    return await _take(desk, "regional", asked, _regional)


@router.post("/federate", responses=RUNNING)
async def federate(asked: Federate, desk: Desk_) -> JobView:
    """Simulate a federated run; every round is an event."""
    return await _take(desk, "federate", asked, _federate)


async def _take(desk: Desk, kind: str, asked: Any, make: Callable[[Job, Any, Lanes], dict[str, Any]]) -> JobView:
    """Queue `make`; a job is named by its request without what is large or does not change it."""
    named = asked.model_dump_json(exclude={"source": {"data"}, "wait_s": True})
    return await desk.take(kind, named, asked.wait_s, lambda job, lane: job.result(make(job, asked, desk.lanes)))


def _animate(job: Job, asked: Animate, lanes: Lanes) -> dict[str, Any]:
    settings = asked.model_dump(exclude={"wait_s", "format"})
    return _make(job, settings, made_path(lanes.settings, f"{job.id}.{asked.format}"))


def _inpaint(job: Job, asked: Inpaint, lanes: Lanes) -> dict[str, Any]:
    import json

    import PIL.Image

    image = made_path(lanes.settings, f"{job.id}.before.png")
    PIL.Image.fromarray(asked.source.pixels(lanes)).save(image)
    settings = asked.model_dump(include={"negative", "steps", "guidance", "scheduler", "seed"})
    settings |= {"init": str(image), "mask": json.dumps(asked.mask.model_dump()), "timeline": asked.prompt}
    return _make(job, {**settings, "frames": 1, "only_masked": True}, image.with_name(f"{job.id}.png"))


def _make(job: Job, settings: dict[str, Any], out: Path) -> dict[str, Any]:
    """A clip or picture by the packaged weights; steps, previews and frames are told as they are done.

    Stopped while frames are decoded, those that are ready are kept: an event ``kept`` says where.
    """
    from suffice.diffusion.animator import Animator
    from suffice.diffusion.clip.write import write_clip
    from suffice.diffusion.preview import Previews
    from suffice.diffusion.settings import settings_from

    wanted = settings_from(settings)
    animator = Animator(wanted.model)
    previews = Previews(animator.parts.vae, lambda frame: job.say("preview", {"jpeg": _jpeg(frame)}))

    def on_step(done: int, of: int, latents: Any) -> None:
        job.progress("steps", done, of)
        previews(done, of, latents)

    clip = animator.animate(wanted, on_step)

    def told() -> Any:
        for number, frame in enumerate(clip.frames, 1):
            yield frame
            job.progress("frames", number, clip.count)

    try:
        count = write_clip(out, told(), clip.fps, clip.settings.as_json(), until=CancelledError)
    except CancelledError:
        if out.is_file():
            job.say("kept", {"url": made_url(out)})
        raise
    return {"url": made_url(out), "frames": count, "settings": clip.settings.as_json()}


def _jpeg(frame: Any) -> str:
    """As base64."""
    import base64
    import io

    import PIL.Image

    file = io.BytesIO()
    PIL.Image.fromarray(frame).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


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
