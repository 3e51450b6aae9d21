"""Many pictures, one request: in parallel, resumable, and no bad file stops the rest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from suffice.errors import SufficeError, UsageError
from suffice.masks.ask import ask
from suffice.masks.crew import Workshop, crew
from suffice.masks.found import Candidate, FoundThing
from suffice.masks.picture_files import Wanted, save_json, write_picture
from suffice.masks.prompt import Prompt, PromptOutsideError
from suffice.masks.steps import Step, take_steps
from suffice.media.image import decode_image
from suffice.media.scan import FoundFile, content_hash, relative_places

ANSWER_SUFFIX = ".masks.json"


@dataclass(frozen=True)
class Request:
    """What to do with each picture.

    Attributes:
        steps: done to every mask, in order.
        wanted: the files to write.
    """

    prompt: Prompt
    steps: tuple[Step, ...] = ()
    wanted: Wanted = field(default_factory=Wanted)


@dataclass(frozen=True)
class PictureAnswer:
    """One picture done: its objects as JSON, or the problem it met; `was_done` when an earlier run had done it."""

    path: str
    objects: list[dict[str, Any]]
    problem: str = ""
    was_done: bool = False


Placed = tuple[FoundFile, str]
"""A file and where its answers go, below the folder of answers."""


def mask_pictures(
    files: Sequence[FoundFile], request: Request, workshop: Workshop, out: Path, jobs: int | None = None
) -> Iterator[PictureAnswer]:
    """An answer a file, as they finish. What an earlier run with the same request did is not done again.

    Args:
        files: pictures, each once.
        out: folder of the answers; below it, files keep their places relative to the folder they share.
        jobs: pictures at a time; by default one a core. With the embedded defaults they are processes (a script that
            asks for them needs Python's usual ``if __name__ == "__main__"``), otherwise threads.
    """
    jobs = max(1, min(jobs or os.cpu_count() or 1, len(files)))
    placed = iter(list(zip(files, relative_places(files), strict=True)))
    while lost := (yield from _as_finished(placed, request, workshop, out, jobs)):
        for each in lost:
            yield _alone(each, request, workshop, out)


def _as_finished(
    placed: Iterator[Placed], request: Request, workshop: Workshop, out: Path, jobs: int
) -> Generator[PictureAnswer, None, list[Placed]]:
    """The answers; returns the files that were being worked on when a process died, none when all of `placed` is done.

    Only two a job are begun before their answers are taken, and none any more when the taker leaves.
    """
    begun: dict[str, Placed] = {}
    running: set[Future[PictureAnswer]] = set()
    with crew(workshop, jobs) as submit:
        try:
            for file, place in placed:
                begun[file.path] = (file, place)
                running.add(submit(_answer, file, place, request, out))
                if len(running) == 2 * jobs:
                    yield from _taken(running, begun)
            while running:
                yield from _taken(running, begun)
        except BrokenExecutor:
            pass
    return list(begun.values())


def _taken(running: set[Future[PictureAnswer]], begun: dict[str, Placed]) -> Iterator[PictureAnswer]:
    for each in wait(running, return_when=FIRST_COMPLETED).done:
        answer = each.result()
        running.remove(each)
        del begun[answer.path]
        yield answer


def _alone(each: Placed, request: Request, workshop: Workshop, out: Path) -> PictureAnswer:
    """By a process of its own, since it may have been what ended one."""
    try:
        with crew(workshop, 1, apart=True) as submit:
            answer: PictureAnswer = submit(_answer, *each, request, out).result()
            return answer
    except BrokenExecutor:
        return PictureAnswer(each[0].path, [], f"{each[0].path}: the process that worked on it was killed")


def _answer(workshop: Workshop, file: FoundFile, place: str, request: Request, out: Path) -> PictureAnswer:
    folder, stem = (out / place).parent, Path(place).name.replace(".", "_")
    record = folder / f"{stem}{ANSWER_SUFFIX}"
    try:
        key = fingerprint(content_hash(file.path), request, workshop.identity)
        before = _before(record, key)
        if before is not None:
            return PictureAnswer(file.path, before, was_done=True)
        image = decode_image(file.path)
        things = ask(image, request.prompt, workshop.segmenter, workshop.finder, workshop.embeddings)
        objects = write_picture(image, stepped(things, request.steps), folder, stem, request.wanted)
        save_json(record, {"request": key, "path": file.path, "size_wh": list(image.shape[1::-1]), "objects": objects})
        return PictureAnswer(file.path, objects)
    except PromptOutsideError as error:
        return PictureAnswer(file.path, [], f"{file.path}: {error}")
    except UsageError:
        raise
    except (SufficeError, OSError, MemoryError) as error:
        return PictureAnswer(file.path, [], str(error) or type(error).__name__)


def stepped(things: Sequence[FoundThing], steps: Sequence[Step]) -> list[FoundThing]:
    """`things` with all their candidates after `steps`."""
    if not steps:
        return list(things)
    return [
        replace(
            thing,
            candidates=tuple(Candidate(take_steps(each.mask, steps), each.score) for each in thing.candidates),
        )
        for thing in things
    ]


def fingerprint(file_hash: str, request: Request, identity: str) -> str:
    """Differs whenever the answer may: another content, prompt, step, file wanted, model or version."""
    digest = hashlib.blake2b(f"{file_hash} {identity} {request.steps} {request.wanted}".encode(), digest_size=16)
    digest.update(repr(replace(request.prompt, things=())).encode())
    for thing in request.prompt.things:
        mask = b"" if thing.mask is None else thing.mask.tobytes()
        digest.update(repr(replace(thing, mask=None)).encode() + mask)
    return digest.hexdigest()


def _before(record: Path, key: str) -> list[dict[str, Any]] | None:
    """The objects of an earlier run, if it asked the same and all its files are still there."""
    try:
        kept = json.loads(record.read_text(encoding="utf-8"))
        objects: list[dict[str, Any]] = kept["objects"]
        files = [Path(path) for each in objects for path in each["files"].values()]
        return objects if kept["request"] == key and all(path.is_file() for path in files) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
