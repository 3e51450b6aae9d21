"""``suffice bench NAME``: a benchmark of this checkout, ours and the other's in one run."""

from __future__ import annotations

import json as js
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import CommandLineError, Json, print_json
from suffice.errors import UsageError, nearest

FOLDER = Path("bench")


def bench(
    name: Annotated[str, typer.Argument(help="A file of the folder bench, without .py.")],
    words: Annotated[list[str] | None, typer.Argument(help="For the benchmark, after --, as in -- --help.")] = None,
    json: Json = False,
) -> None:
    """Run a benchmark of the checkout in the working folder and print its table."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "report")
    if not names:
        raise UsageError("benchmarks belong to a checkout of suffice: run this in its folder")
    if name not in names:
        raise CommandLineError(f"there is no benchmark {name!r}{nearest(name, names)}; there are {', '.join(names)}")
    run = subprocess.run(
        [sys.executable, f"{name}.py", *(words or [])],
        cwd=FOLDER,
        check=False,
        stdout=subprocess.DEVNULL if json else None,
    )
    if run.returncode:
        raise typer.Exit(1)
    if json:
        print_json(js.loads((FOLDER / "results" / f"{name}.json").read_text(encoding="utf-8")))
