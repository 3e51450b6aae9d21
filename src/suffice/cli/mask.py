"""``suffice mask FILE…``: from a click or a word to masks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.cli.output import CommandLineError, Json, print_json, shown
from suffice.errors import SufficeError, UsageError

if TYPE_CHECKING:
    from suffice.masks.batch import Request
    from suffice.masks.crew import Workshop
    from suffice.masks.prompt import Point, Prompt
    from suffice.masks.video import Span
    from suffice.media.scan import FoundFile


def mask(
    files: Annotated[list[str], typer.Argument(help="Pictures or videos: files, folders, globs ('photos/**').")],
    out: Annotated[Path, typer.Option(help="Folder for masks, cut-outs and blends.")],
    text: Annotated[list[str] | None, typer.Option(help="A word for what is wanted; several: once each.")] = None,
    point: Annotated[list[str] | None, typer.Option(metavar="X,Y[,+/-]", help="A click on it, or (-) off it.")] = None,
    box: Annotated[list[str] | None, typer.Option(metavar="X0,Y0,X1,Y1", help="A box around a thing.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="Whatever there is, unasked.")] = False,
    model: Annotated[str, typer.Option(help="Segmenter: default, hf:FOLDER_OR_ID, onnx:ENCODER,DECODER.")] = "default",
    finder: Annotated[str, typer.Option(help="What finds words: default, hf:FOLDER_OR_ID.")] = "default",
    min_score: Annotated[float | None, typer.Option(help="Leave out found boxes below it.")] = None,
    text_score: Annotated[float | None, typer.Option(help="Leave out boxes whose word fits less.")] = None,
    choose: Annotated[list[int] | None, typer.Option(help="Go on with these found boxes only, from 0.")] = None,
    then: Annotated[
        list[str] | None,
        typer.Option(metavar="STEP", help="Steps in order: grow=4, shrink=2, fill-holes, drop-islands=50, invert."),
    ] = None,
    background: Annotated[bool, typer.Option("--background", help="Cut out what is not the thing.")] = False,
    candidates: Annotated[int, typer.Option(min=1, max=3, help="Masks a thing: the best, or all three.")] = 1,
    feather: Annotated[float, typer.Option(min=0, help="Pixels over which a cut-out's edge fades.")] = 0.0,
    padding: Annotated[int, typer.Option(min=0, help="Pixels around a cut-out.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps encodings between runs.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Pictures at a time; by default one a core.")] = None,
    fps: Annotated[float | None, typer.Option(help="Of a video: frames a second to look at; by default all.")] = None,
    start: Annotated[float | None, typer.Option(help="Of a video: from this second on.")] = None,
    end: Annotated[float | None, typer.Option(help="Of a video: up to this second.")] = None,
    backward: Annotated[bool, typer.Option("--backward", help="Of a video: from the end to the start.")] = False,
    json: Json = False,
) -> None:
    """Masks of what a text, points, boxes or nothing in particular ask for; run it again and only the rest is done."""
    from suffice.masks.batch import Request, mask_pictures
    from suffice.masks.crew import Workshop
    from suffice.masks.embeddings import Embeddings
    from suffice.masks.names import finder_named, segmenter_named
    from suffice.masks.picture_files import Wanted
    from suffice.masks.steps import parse_step
    from suffice.masks.video import Span

    prompt = _prompt(text, point, box, everything, min_score, text_score, choose)
    steps = tuple(parse_step(step) for step in [*(then or []), *(["invert"] if background else [])])
    request = Request(prompt, steps, Wanted(candidates=candidates, padding_px=padding, feather_px=feather))
    workshop = Workshop(segmenter_named(model), finder_named(finder), Embeddings(cache))
    pictures, videos = _by_kind(files, out)
    order = {file.path: number for number, file in enumerate(pictures)}
    finished = shown(mask_pictures(pictures, request, workshop, out, jobs), "masks", len(pictures))
    answers = sorted(finished, key=lambda answer: order[answer.path])
    made = [_video(video, request, workshop, out, Span(fps, start, end, backward)) for video in videos]
    objects = [{"file": a.path, **each} for a in answers for each in a.objects] + [
        o for v in made for o in v["objects"]
    ]
    problems = [{"file": each.path, "problem": each.problem} for each in answers if each.problem]
    for each in problems:
        print(f"warning: {each['problem']}", file=sys.stderr)
    if json:
        print_json({"objects": objects, "videos": [v["video"] for v in made], "problems": problems})
    else:
        _print(objects, made, out)
    if problems and len(problems) == len(answers) and not made:
        raise typer.Exit(1)


def _prompt(
    text: list[str] | None,
    point: list[str] | None,
    box: list[str] | None,
    everything: bool,
    min_score: float | None,
    text_score: float | None,
    choose: list[int] | None,
) -> Prompt:
    from suffice.masks.prompt import Prompt, ThingPrompt

    points = tuple(_point(each) for each in point or [])
    boxes = [_numbers("--box", each, 4) for each in box or []]
    if len(boxes) > 1 and points:
        raise CommandLineError("points go with one box or with none: which of the boxes they are for is not clear")
    things = [ThingPrompt(points, (b[0], b[1], b[2], b[3])) for b in boxes]
    if points and not boxes:
        things = [ThingPrompt(points)]
    return Prompt(
        tuple(things),
        tuple(text or ()),
        box_score_min=min_score,
        text_score_min=text_score,
        chosen=tuple(choose) if choose else None,
        everything=everything,
    )


def _point(given: str) -> Point:
    from suffice.masks.prompt import Point

    parts = given.split(",")
    sign = parts.pop().strip() if len(parts) == 3 else "+"
    if sign not in ("+", "-"):
        raise CommandLineError(f"--point {given}: after X,Y comes + (on the thing) or - (off it)")
    x, y = _numbers("--point", ",".join(parts), 2)
    return Point(x, y, sign == "+")


def _numbers(option: str, given: str, count: int) -> list[float]:
    try:
        numbers = [float(part) for part in given.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != count:
        raise CommandLineError(f"{option} {given}: expected {count} numbers between commas")
    return numbers


def _by_kind(patterns: list[str], out: Path) -> tuple[list[FoundFile], list[FoundFile]]:
    """Pictures and videos under the patterns, each file once; what an earlier run wrote to `out` is none of them."""
    from suffice.media.scan import expand
    from suffice.media.wants import wants

    pictures: dict[str, FoundFile] = {}
    videos: dict[str, FoundFile] = {}
    for pattern in patterns:
        for file in expand(pattern):
            if Path(file.path).is_relative_to(out.absolute()) and pattern != file.path:
                continue
            if _is_video(file.path):
                videos[file.path] = file
            elif wants(file, pattern, "image"):
                pictures[file.path] = file
    if not (pictures or videos):
        raise SufficeError(f"no picture and no video under {', '.join(map(repr, patterns))}")
    return list(pictures.values()), list(videos.values())


def _is_video(path: str) -> bool:
    from suffice.media.scan import open_file
    from suffice.media.sniff import HEAD_BYTES, KINDS, sniff

    try:
        with open_file(path) as file:
            return "video" in KINDS.get(sniff(file.read(HEAD_BYTES)) or "", ())
    except (SufficeError, OSError):
        return False


def _video(file: FoundFile, request: Request, workshop: Workshop, out: Path, span: Span) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import Progress

    from suffice.masks.follower import follower_of
    from suffice.masks.video import mask_video

    if request.prompt.everything:
        raise UsageError(f"{file.path!r}: a video needs a text, points or a box to follow, not everything")
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(Path(file.path).name, total=None)

        def on_frame(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        follower = follower_of(request.prompt, workshop.segmenter, workshop.finder)
        return mask_video(file.path, follower, out, span, on_frame).as_json()


def _print(objects: list[dict[str, Any]], videos: list[dict[str, Any]], out: Path) -> None:
    for each in objects:
        x0, y0, x1, y1 = each["box_xyxy"]
        what = f"{Path(each['file']).name} {each['id']:>3} {each['label'] or '-':12} {each['score']:.2f}"
        print(f"{what}  {x0},{y0},{x1},{y1}  {each['area']} px")
    for video in videos:
        print(video["video"]["file"])
    print(f"{len(objects)} things in {out}")
