"""``suffice federate``"""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli import federation
from suffice.cli.output import Json, print_json, warnings_on_stderr

if TYPE_CHECKING:
    from suffice.federated import FederatedConfig, Report
    from suffice.federated.simulation import RoundRecord
    from suffice.federated.tasks import Task

app = typer.Typer(help="Train across devices: simulated on a virtual clock, or served for real.", no_args_is_help=True)
for _command in (federation.create, federation.replica, federation.root, federation.join):
    app.command(_command.__name__)(_command)

Out = Annotated[
    Path | None,
    typer.Option(help="Folder of the finished run: its model (for CREATE MODEL … USING 'federated:FOLDER') and page."),
]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML; FedScale's keys are understood.")],
    rounds: Annotated[int | None, typer.Option(help="Steps of the server.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="Written every round; resumed from when it exists.")] = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Simulate the federated run CONFIG describes."""
    from suffice.answer.progress import progress_bar
    from suffice.federated import read_config, save_run, simulate

    with warnings_on_stderr():
        settings = read_config(config, rounds=rounds, seed=seed)
        task = _task(settings)
        with progress_bar("rounds", settings.rounds, None) as bar:

            def show(record: RoundRecord) -> None:
                bar.advance(1)
                if not json and record.loss == record.loss:
                    print(_line(record))

            report = simulate(settings, task=task, checkpoint=checkpoint, on_round=show)
        if out is not None:
            save_run(out, report)
    if json:
        print_json(report.as_json())
    else:
        _summary(report)


def _task(settings: FederatedConfig) -> Task | None:
    """The rows of ``data_set: sql``, which only a door may ask for; None when the run makes its own."""
    if settings.data_set != "sql":
        return None
    from suffice.connection import connect
    from suffice.federated.tasks import TableTask

    with connect(settings.data_db or None) as con:
        return TableTask(con.sql(settings.data_query).arrow(), model=settings.model or "mlp")


def _line(record: RoundRecord) -> str:
    accuracy = f"accuracy {record.accuracy:.3f}, " if isfinite(record.accuracy) else ""
    rejected = f", {record.rejected} broken updates left out" if record.rejected else ""
    return (
        f"round {record.round}: {record.virtual_s / 3600:.3g} virtual h, {accuracy}loss {record.loss:.3f}, "
        f"{record.clients} clients{rejected}, {record.wasted:.0%} of the device time wasted"
    )


def _summary(report: Report) -> None:
    memory = f"peak memory {report.peak_memory_bytes / 1e6:.0f} MB"
    print(f"{report.clients_per_s:.0f} clients/s by {report.method}, {report.host_s:.2f} s, {memory}")
    deciles = " ".join(f"{share:.2f}" for share in report.accuracy_by_decile)
    fairness = f"; accuracy by decile of clients: {deciles}" if deciles else ""
    print(f"participation Gini {report.participation_gini:.2f}{fairness}")
