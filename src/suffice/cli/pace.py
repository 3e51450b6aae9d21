"""``suffice pace -- COMMAND``"""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli.output import Json, print_json

if TYPE_CHECKING:
    from suffice.federated.pace import PaceReport

SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def pace(
    command: Annotated[list[str], typer.Argument(help="The command, after --.")],
    profile_s: Annotated[float, typer.Option(help="Seconds to measure each choice of cores.")] = 1.0,
    nice: Annotated[int | None, typer.Option(help="0 to 19, in place of giving way at once.", min=0, max=19)] = None,
    celsius_max: Annotated[
        float, typer.Option(help="Above this, or while a battery runs down, run as gently as possible.")
    ] = 85.0,
    json: Json = False,
) -> None:
    """Run COMMAND on the cores nobody else needs: profile the ways to run, step aside while others work."""
    import signal
    import sys

    from suffice.federated.pace import Terms, Timing, pace_command, strained

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, frame: sys.exit(128 + number))
    terms = Terms(timing=Timing(profile_s=profile_s), niceness=nice, too_hot=partial(strained, celsius_max))
    report = pace_command(command, terms, output=sys.stderr if json else None)
    if json:
        print_json(asdict(report))
    else:
        _show(report)
    raise typer.Exit(report.exit_code if report.exit_code >= 0 else 1)


def _show(report: PaceReport) -> None:
    import sys

    def say(line: str) -> None:
        print(line, file=sys.stderr)

    say(f"{report.seconds:.1f} s, {report.cpu_s:.1f} s of processor, {report.steps} steps")
    for profile in report.profiles:
        kept = "" if profile in report.chain else ", not worth keeping"
        say(f"{profile.choice}: {profile.step_s:.4f} s, {profile.cost:.4f} {report.cost_unit} a step{kept}")
    for at_s, choice in report.moves:
        say(f"{at_s:8.1f} s: {choice}")
