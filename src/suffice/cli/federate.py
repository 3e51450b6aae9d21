"""`suffice federate`: train one model across many devices."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from suffice.federated.simulation import RoundRecord

app = typer.Typer(help="Train across devices: simulated on a virtual clock, or served for real.")


@app.command()
def run(
    config_path: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML; FedScale's keys are understood.")],
    rounds: Annotated[int | None, typer.Option(help="Steps of the server.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Written every round; resumed from when it exists.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")] = False,
) -> None:
    """Simulate the federated run CONFIG describes."""
    from suffice.federated import read_config, simulate

    def show(record: RoundRecord) -> None:
        typer.echo(
            f"round {record.round}: {record.virtual_s / 3600:.2f} virtual h, accuracy {record.accuracy:.3f}, "
            f"loss {record.loss:.3f}, {record.clients} clients, {record.wasted:.0%} of the device time wasted",
            err=json,
        )

    report = simulate(read_config(config_path, rounds=rounds, seed=seed), checkpoint=checkpoint, on_round=show)
    if json:
        typer.echo(json_module.dumps(report.as_json()))
    else:
        seconds = f"{report.host_s:.1f} s ({report.cpu_s:.1f} s of processor)"
        memory = f"peak memory {report.peak_memory_bytes / 1e6:.0f} MB"
        typer.echo(f"{report.clients_per_s:.0f} clients/s by {report.method}, {seconds}, {memory}")
        deciles = " ".join(f"{share:.2f}" for share in report.accuracy_by_decile)
        typer.echo(f"participation Gini {report.participation_gini:.2f}; accuracy by decile of clients: {deciles}")
