"""``suffice federate create``, ``replica``, ``root`` and ``join``: a federation for real."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli.output import CommandLineError, Json, print_json
from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.federated import FederatedConfig

Store = Annotated[Path, typer.Argument(help="The SQLite file all processes of the deployment share.")]
Task = Annotated[str, typer.Argument(help="Name of the task.")]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML, as for `federate run`.")]
SECRET = "SUFFICE_FEDERATION_SECRET"


def create(store: Store, task: Task, config: Config, json: Json = False) -> None:
    """Register a task with its first model."""
    from suffice.federated.checkin.deployment import create as create_task
    from suffice.federated.checkin.store import Store as Deployment

    settings = create_task(Deployment(store), task, _config(config))
    if json:
        print_json({"task": task, "weights": settings.size, "target": settings.target})
    else:
        print(f"{task}: a model of {settings.size:,} weights; {settings.target} reports close a round")


def replica(
    store: Store,
    address: Annotated[str, typer.Option(help="HOST:PORT to listen on; port 0 for a free one.")] = "127.0.0.1:0",
    key: Annotated[Path | None, typer.Option(help="PEM; with --certificates it turns TLS on.")] = None,
    certificates: Annotated[Path | None, typer.Option(help="PEM chain.")] = None,
) -> None:
    """Answer devices. Start as many as you like; the signing secret comes from $SUFFICE_FEDERATION_SECRET."""
    from suffice.federated.checkin.service import read_pair, serve

    if (key is None) != (certificates is None):
        raise CommandLineError("--key and --certificates go together")
    secret = os.environ.get(SECRET, "").encode()
    if len(secret) < 16:
        raise UsageError(f"set {SECRET} to the same 16 or more characters for every replica")
    pair = read_pair(key, certificates) if key is not None and certificates is not None else None
    asyncio.run(serve(store, address, secret, pair))


def root(
    store: Store,
    task: Task,
    workers: Annotated[int, typer.Option(help="Folding processes at a time.")] = 2,
    until: Annotated[int | None, typer.Option(help="Stop when this version of the model is out.")] = None,
    json: Json = False,
) -> None:
    """Close rounds, have them folded, publish models. Killed at any moment, another goes on."""
    from suffice.federated.checkin.root import run_root
    from suffice.federated.checkin.store import Store as Deployment

    for version in run_root(store, task, workers, until):
        if not json:
            print(f"version {version}", flush=True)
    if json:
        deployment = Deployment(store)
        print_json({"version": deployment.status(task).version, "rejections": deployment.rejections(task)})


def join(
    address: Annotated[str, typer.Argument(help="HOST:PORT of any replica.")],
    task: Task,
    config: Config,
    client: Annotated[int, typer.Option(help="Whose data of CONFIG this device holds.")] = 0,
    turns: Annotated[int, typer.Option(help="Updates to contribute.")] = 1,
    certificates: Annotated[Path | None, typer.Option(help="PEM of who signed the replica's; turns TLS on.")] = None,
    json: Json = False,
) -> None:
    """Be a device: check in, train, send."""
    from suffice.federated.checkin.deployment import join as take_part

    trusted = certificates.read_bytes() if certificates is not None else None
    outcomes = list(take_part(address, task, _config(config), client, turns, certificates=trusted))
    if json:
        print_json({"taken": sum(outcomes), "not_taken": len(outcomes) - sum(outcomes)})
    else:
        print(f"device {client}: {sum(outcomes)} updates taken")


def _config(path: Path) -> FederatedConfig:
    from suffice.federated import read_config

    return read_config(path)
