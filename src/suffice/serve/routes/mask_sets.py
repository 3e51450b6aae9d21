"""Masks of many pictures and of videos: jobs that tell each picture or frame as it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from suffice.errors import SufficeError, UsageError
from suffice.serve.callers import RUNNER
from suffice.serve.jobs import CancelledError, Job
from suffice.serve.lanes import Lanes
from suffice.serve.made import made_path, made_url
from suffice.serve.routes.desk import RUNNING, Desk_
from suffice.serve.routes.jobs import JobView
from suffice.serve.routes.masks import Wish, parsed
from suffice.serve.settings import Role
from suffice.serve.sources import inside_roots

if TYPE_CHECKING:
    from suffice.media.scan import FoundFile

router = APIRouter(prefix="/api/masks", tags=["masks"])

PICTURES_MAX = 1000


class Batch(Wish):
    """One wish of many pictures."""

    paths: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        min_length=1, max_length=PICTURES_MAX, description="Files, folders or globs below the server's roots."
    )
    wait_s: float = Field(default=0, ge=0, le=30)


class Video(Wish):
    """Things followed through a video."""

    path: str = Field(min_length=1, max_length=4096)
    fps: float | None = Field(default=None, gt=0, le=240, description="Frames a second to look at; by default all.")
    start_s: float | None = Field(default=None, ge=0)
    end_s: float | None = Field(default=None, ge=0)
    backward: bool = False
    wait_s: float = Field(default=0, ge=0, le=30)


@router.post("/batch", responses=RUNNING)
async def batch(asked: Batch, desk: Desk_, role: Annotated[Role, RUNNER]) -> JobView:
    """Masks of every picture: an event ``picture`` for each, ``{path, objects}`` or ``{path, problem}``."""
    asked.check_role(role)

    def run(job: Job, lane: int) -> Any:
        return job.result(_pictures(job, asked, desk.lanes))

    return await desk.take("masks of pictures", asked.model_dump_json(exclude={"wait_s": True}), asked.wait_s, run)


@router.post("/video", responses=RUNNING)
async def video(asked: Video, desk: Desk_, role: Annotated[Role, RUNNER]) -> JobView:
    """Follow things: a masked, numbered video, and every mask of every frame as lines of JSON."""
    asked.check_role(role)

    def run(job: Job, lane: int) -> Any:
        return job.result(_followed(job, asked, desk.lanes))

    return await desk.take("masks of a video", asked.model_dump_json(exclude={"wait_s": True}), asked.wait_s, run)


def _pictures(job: Job, asked: Batch, lanes: Lanes) -> dict[str, Any]:
    files = _files(asked, lanes)
    problems = 0
    for done, file in enumerate(files, 1):
        told = _picture(asked, file, lanes)
        problems += "problem" in told
        job.say("picture", {"path": file.path, **told})
        job.progress("pictures", done, len(files))
    return {"pictures": len(files), "problems": problems}


def _picture(asked: Batch, file: FoundFile, lanes: Lanes) -> dict[str, Any]:
    """No picture's problem stops the rest; a request that is wrong for all of them does."""
    from suffice.masks import api
    from suffice.masks.prompt import PromptOutsideError
    from suffice.media.image import decode_image

    roots = lanes.settings.roots
    segmenter, finder, steps = asked.made_segmenter(roots), asked.made_finder(roots), parsed(asked.steps)
    try:
        image = decode_image(file.path)
        return api.predict(image, asked.prompt(), segmenter, finder, lanes.embeddings, steps)
    except UsageError as error:
        if not isinstance(error, PromptOutsideError):
            raise
        return {"problem": str(error)}
    except (CancelledError, MemoryError):
        raise
    except (SufficeError, OSError) as error:
        return {"problem": str(error)}


def _files(asked: Batch, lanes: Lanes) -> list[FoundFile]:
    """Raises :class:`UsageError` when there are too many."""
    from suffice.media.wants import wanted

    roots = lanes.settings.roots
    patterns = [str(inside_roots(path, roots)) for path in asked.paths]
    files = wanted(patterns, "image", [str(root) for root in roots])
    if len(files) > PICTURES_MAX:
        raise UsageError(f"{len(files)} pictures are more than {PICTURES_MAX}: ask for fewer at a time")
    return files


def _followed(job: Job, asked: Video, lanes: Lanes) -> dict[str, Any]:
    from suffice.masks.follower import follower_of
    from suffice.masks.video import Span, mask_video

    roots = lanes.settings.roots
    if asked.everything:
        raise UsageError("a video needs texts, clicks or boxes to follow, not everything")
    if asked.steps:
        raise UsageError("steps are for pictures; a video's masks are as they were followed")
    answer = mask_video(
        str(inside_roots(asked.path, roots)),
        follower_of(asked.prompt(), asked.made_segmenter(roots), asked.made_finder(roots)),
        made_path(lanes.settings, job.id).parent,
        Span(asked.fps, asked.start_s, asked.end_s, asked.backward),
        lambda done, total: job.progress("frames", done, total),
        stem=job.id,
    )
    told = answer.as_json()
    objects = [{k: v for k, v in each.items() if k not in ("file", "files")} for each in told["objects"]]
    return {
        "url": made_url(answer.video),
        "tracks_url": made_url(answer.lines),
        "frames": answer.frame_count,
        "objects": objects,
    }
