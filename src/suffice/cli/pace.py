"""`suffice pace -- COMMAND`: train beside other work without being in its way."""

from __future__ import annotations

import json as json_module
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(help="Run a training command on the cores nobody else needs.")


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(help="The command, after --.")],
    profile_s: Annotated[float, typer.Option(help="Seconds to measure each choice of cores.")] = 1.0,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout when the command ends.")
    ] = False,
) -> None:
    """Run COMMAND at idle priority, profile the choices of cores, and step aside while others work."""
    from suffice.federated.pace import pace_command

    report = pace_command(command, profile_s=profile_s)
    if json:
        chain = {"chain": [list(profile.choice.cores) for profile in report.chain]}
        typer.echo(json_module.dumps({**asdict(report), **chain}))
    else:
        typer.echo(f"{report.seconds:.1f} s, {report.cpu_s:.1f} s of processor, {report.steps} steps", err=True)
        for profile in report.profiles:
            cores = ",".join(map(str, profile.choice.cores))
            typer.echo(f"cores {cores}: {profile.step_s:.4f} s, {profile.cost:.4f} {report.cost_unit} a step", err=True)
        for at_s, cores_used in report.moves:
            typer.echo(f"{at_s:8.1f} s: cores {','.join(map(str, cores_used))}", err=True)
    raise typer.Exit(report.exit_code if report.exit_code >= 0 else 1)
