"""``suffice dataset``: pictures to a training set."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from suffice.cli.output import CommandLineError, Json, OptionalTarget, print_json, warnings_on_stderr
from suffice.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from suffice.masks.dataset.build import Source


def dataset(
    out: Annotated[Path, typer.Option(help="Folder of the set.")],
    files: Annotated[list[str] | None, typer.Argument(help="Pictures: files, folders, globs.")] = None,
    query: Annotated[str | None, typer.Option(help="SQL whose column `image` has the pictures.")] = None,
    db: OptionalTarget = None,
    thing: Annotated[str | None, typer.Option(help="Only pictures with such a thing, cropped around it.")] = None,
    ground: Annotated[
        Literal["keep", "white", "grey", "transparent"], typer.Option(help="What becomes of all around the thing.")
    ] = "keep",
    shape: Annotated[
        Literal["keep", "thing", "square", "bucket"], typer.Option(help="What each picture is cropped to.")
    ] = "bucket",
    size: Annotated[int, typer.Option(min=64, help="Side of the square, or root of a bucket's pixels.")] = 512,
    caption: Annotated[str, typer.Option(help="file, tags, or a template: 'a photo of {label}, {tags}'.")] = "file",
    duplicates: Annotated[int, typer.Option(min=-1, max=64, help="Bits by which twins differ; -1 keeps all.")] = 6,
    model: Annotated[str, typer.Option(help="Segmenter.")] = "default",
    finder: Annotated[str, typer.Option(help="What finds the word.")] = "default",
    json: Json = False,
) -> None:
    """Filter, crop, cut out, caption and number pictures for training; the same input gives the same manifest."""
    from suffice.masks.crew import Workshop
    from suffice.masks.dataset.build import Recipe, build, sources_of
    from suffice.masks.dataset.captions import captioner
    from suffice.masks.embeddings import Embeddings
    from suffice.masks.names import finder_named, segmenter_named

    if bool(files) == bool(query):
        raise CommandLineError("give either pictures or --query, which finds them")
    recipe = Recipe(captioner(caption), thing, ground, shape, size, distance_max=duplicates)
    workshop = Workshop(segmenter_named(model), finder_named(finder), Embeddings())
    with ExitStack() as stack:
        stack.enter_context(warnings_on_stderr())
        sources = _asked(query, db, stack) if query else sources_of(_paths(files or []))
        answer = build(sources, recipe, workshop, out)
    if json:
        print_json(
            {"manifest": answer.manifest, "count": answer.count, "dropped": answer.dropped, "hash": answer.digest}
        )
        return
    print(f"{answer.count} examples, {len(answer.dropped)} left out: {answer.manifest} (hash {answer.digest})")
    print(f"look at them: {out / 'report.html'}")


def _paths(patterns: list[str]) -> list[str]:
    from suffice.media.wants import wanted

    return [file.path for file in wanted(patterns, "image")]


def _asked(query: str, db: str | None, stack: ExitStack) -> Iterator[Source]:
    """The pictures of a query, in its order."""
    from suffice.connection import connect
    from suffice.masks.dataset.build import Source

    con = stack.enter_context(connect(db))
    result = con.sql(query)
    if "image" not in result.columns:
        raise UsageError(f"the query gives {', '.join(result.columns)}; a data set needs a column named image")
    column = result.columns.index("image")
    for reference in dict.fromkeys(str(row[column]) for row in result.fetchall()):
        yield Source(reference, partial(con.image, reference))
