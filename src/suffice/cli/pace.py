"""``suffice pace -- COMMAND``"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from suffice.cli.output import Json, print_json

SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


def pace(
    command: Annotated[list[str], typer.Argument(help="The command, after --.")],
    profile_s: Annotated[float, typer.Option(help="Seconds to measure each choice of cores.")] = 1.0,
    json: Json = False,
) -> None:
    """Run COMMAND on the cores nobody else needs: profile the ways to run, step aside while others work."""
    import sys

    from suffice.federated.pace import pace_command

    report = pace_command(command, profile_s=profile_s, output=sys.stderr if json else None)
    if json:
        chain = {"chain": [list(profile.choice.cores) for profile in report.chain]}
        print_json({**asdict(report), **chain})
    else:
        _show(report)
    raise typer.Exit(report.exit_code if report.exit_code >= 0 else 1)
