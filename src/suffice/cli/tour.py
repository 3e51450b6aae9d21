"""``suffice tour``: the whole loop on what ships, and one page about it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import Json, print_json, warnings_on_stderr


def tour(
    out: Annotated[Path, typer.Option(help="Folder for the page and what it is made of.")] = Path("out/tour"),
    quick: Annotated[bool, typer.Option("--quick", help="Less of everything, to see that it works.")] = False,
    json: Json = False,
) -> None:
    """Ask a street, mask and repaint what is there, let regions rest, train across devices, and ask with the result."""
    from suffice.tour.walk import CHAPTERS, PAGE, walk

    told = []
    with warnings_on_stderr():
        for number, chapter in enumerate(walk(out, is_quick=quick), 1):
            told.append(chapter)
            head = f"{number}/{len(CHAPTERS)} {chapter.title} ({chapter.seconds:.1f} s)"
            print(f"{head}\n    left out: {chapter.left_out}\n    how sure: {chapter.sure}", file=sys.stderr)
    if json:
        chapters = [{"title": one.title, "seconds": round(one.seconds, 2), **one.facts} for one in told]
        print_json(
            {"page": str(out / PAGE), "seconds": round(sum(one.seconds for one in told), 2), "chapters": chapters}
        )
    else:
        print(out / PAGE)
