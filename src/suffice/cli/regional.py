"""``suffice regional …``"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.cli.output import Json, print_json

if TYPE_CHECKING:
    from suffice.regional.run import Report

app = typer.Typer(help="One picture over many workers that skip what has settled.", no_args_is_help=True)


@app.callback()
def regional() -> None:
    """One picture over many workers that skip what has settled."""


@app.command("run")
def run(
    prompt: Annotated[str, typer.Argument(help="What to draw.")],
    out: Annotated[Path, typer.Option(help="The picture or clip to write.")],
    model: Annotated[str, typer.Option(help="pocket, a folder in the diffusers layout, or a hub id.")] = "pocket",
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the picture's regions.")] = 1,
    skip: Annotated[str, typer.Option(help="off, auto or budget=F (F of all region-steps run).")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    negative: Annotated[str, typer.Option(help="What not to draw.")] = "",
    steps: Annotated[int, typer.Option(help="Of the solver.")] = 20,
    guidance: Annotated[float, typer.Option(help="1 is none.")] = 5.0,
    solver: Annotated[str, typer.Option(help="ddim, euler, dpm++ or lcm.")] = "ddim",
    height: Annotated[int | None, typer.Option(help="Pixels; by default what the model was trained on.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels.")] = None,
    pictures: Annotated[int, typer.Option(help="How many at once.")] = 1,
    frames: Annotated[int, typer.Option(min=1, help="More than 1: a clip, by the motion module.")] = 1,
    tile: Annotated[int | None, typer.Option(help="Side of a tile, in cells of the latent.")] = None,
    regions: Annotated[
        int | None,
        typer.Option(help="So many that rest each by its own score; by default all rest together, in a --mask apart."),
    ] = None,
    exchange: Annotated[str, typer.Option(help="sync or stale: what a worker sees of the others' step.")] = "sync",
    launch: Annotated[str, typer.Option(help="What starts the workers: processes or ray.")] = "processes",
    whole_above: Annotated[
        float | None, typer.Option(help="Active fraction from which a step runs whole; auto measures it.")
    ] = None,
    image: Annotated[Path | None, typer.Option(help="With --mask: repaint only there.")] = None,
    mask: Annotated[Path | None, typer.Option(help="A picture of the size of --image, white where to repaint.")] = None,
    control: Annotated[
        str | None, typer.Option(help="KIND:PICTURE=STRENGTH, a ControlNet of the checkpoint.", metavar="SPEC")
    ] = None,
    explain: Annotated[bool, typer.Option(help="Also write OUT.explain.png: attention, regions, steps.")] = False,
    json: Json = False,
) -> None:
    """Draw PROMPT; regions that have settled rest."""
    from dataclasses import replace

    from suffice.regional.inpaint import read_picture_and_mask
    from suffice.regional.run import run_to_file
    from suffice.regional.settings import RequestSettings, parse_skip

    asked = RequestSettings(
        prompt,
        negative,
        steps,
        guidance,
        seed,
        pictures,
        frames,
        height,
        width,
        solver,
        tile,
        regions,
        parse_skip(skip),
    )
    picture, allowed = read_picture_and_mask(image, mask)
    if picture is not None:
        asked = replace(asked, height=picture.shape[0], width=picture.shape[1])
    with _steps_shown(steps, json) as stepped:
        report = run_to_file(
            asked, out, model=model, workers=workers, exchange=exchange, launch=launch, whole_above=whole_above,
            control=control,
            explain=explain, picture=picture, mask=allowed, stepped=stepped,
        )  # fmt: skip
    if json:
        print_json(report.as_json())
    else:
        _print(report)


@app.command("serve")
def serve(
    model: Annotated[str, typer.Option(help="pocket, a folder in the diffusers layout, or a hub id.")] = "pocket",
    workers: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 2,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes any free one.")] = 8766,
    memory_gib: Annotated[float | None, typer.Option(help="For requests; by default what is free.")] = None,
    waiting: Annotated[int, typer.Option(min=1, help="Requests that may wait; more are refused with a time.")] = 16,
    exchange: Annotated[str, typer.Option(help="sync or stale.")] = "stale",
    launch: Annotated[str, typer.Option(help="processes or ray.")] = "processes",
) -> None:
    """Serve pictures over HTTP: POST /pictures {"prompt": …} gives a PNG, GET /queue the state."""
    import threading

    from suffice.regional.http import server
    from suffice.regional.model import load
    from suffice.regional.run import started_fleet
    from suffice.regional.service import Service
    from suffice.regional.workers.planner import Planner

    loaded = load(model)
    fleet = started_fleet(launch, workers, loaded)
    try:
        memory_max = None if memory_gib is None else round(memory_gib * 2**30)
        service = Service(loaded, Planner(fleet, exchange), waiting, memory_max)
        listener = server(service, host, port)
        threading.Thread(target=listener.serve_forever, daemon=True).start()
        print(f"http://{host}:{listener.server_address[1]} with {workers} workers", file=sys.stderr, flush=True)
        service.serve()
    finally:
        fleet.stop()


@contextmanager
def _steps_shown(steps: int, quiet: bool) -> Iterator[Any]:
    """A bar on stderr; nobody reads it beside --json."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=quiet, transient=True) as progress:
        task = progress.add_task("denoise", total=steps)
        yield lambda plan: progress.advance(task)


def _print(report: Report) -> None:
    executed = report.flops_executed / max(1, report.flops_dense)
    parts = ", ".join(f"{name} {taken:.2f} s" for name, taken in report.seconds_of.items())
    print(f"{report.file}: {executed:.0%} of the work of a whole run ({report.flops_executed / 1e9:.2f} GFLOP)")
    print(
        f"{report.regions} regions of {report.tiles} tiles, {report.workers} workers, {report.bytes_sent:,} bytes sent"
    )
    print("active: " + " ".join(f"{one:.0%}" for one in report.active_fraction))
    print(f"{report.seconds:.2f} s: {parts}")
    if report.explain:
        print(f"explained in {report.explain}")
