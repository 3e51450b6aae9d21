"""``suffice federate create``, ``replica``, ``root`` and ``join``: a federation for real."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli.output import CommandLineError, Json, print_json
from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.federated import FederatedConfig

Store = Annotated[
    str,
    typer.Argument(help="What all processes share: a SQLite file, postgresql://…, or a folder like s3://bucket/name."),
]
Task = Annotated[str, typer.Argument(help="Name of the task.")]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="YAML, as for `federate run`.")]
SECRET = "SUFFICE_FEDERATION_SECRET"


def create(store: Store, task: Task, config: Config, json: Json = False) -> None:
    """Register a task with its first model."""
    from suffice.federated.checkin.deployment import create as create_task
    from suffice.federated.checkin.stores import open_store

    settings = create_task(open_store(store), task, _config(config))
    if json:
        print_json({"task": task, "weights": settings.size, "target": settings.target})
    else:
        print(f"{task}: a model of {settings.size:,} weights; {settings.target} reports close a round")


def replica(
    store: Store,
    address: Annotated[str, typer.Option(help="HOST:PORT to listen on; port 0 for a free one.")] = "127.0.0.1:0",
    key: Annotated[Path | None, typer.Option(help="PEM; with --certificates it turns TLS on.")] = None,
    certificates: Annotated[Path | None, typer.Option(help="PEM chain.")] = None,
    client_authority: Annotated[
        Path | None, typer.Option(help="PEM; devices must show a certificate it signed, for the name they use.")
    ] = None,
) -> None:
    """Answer devices. Start as many as you like; the signing secret comes from $SUFFICE_FEDERATION_SECRET."""
    from suffice.federated.checkin.service import Tls, serve

    if (key is None) != (certificates is None) or (client_authority is not None and key is None):
        raise CommandLineError("--key and --certificates go together, and --client-authority needs them")
    secret = os.environ.get(SECRET, "").encode()
    if len(secret) < 16:
        raise UsageError(f"set {SECRET} to the same 16 or more characters for every replica")
    pem = [_pem(file) for file in (key, certificates, client_authority) if file is not None]
    serve(store, address, secret, Tls(*pem) if pem else None)


def root(
    store: Store,
    task: Task,
    workers: Annotated[int, typer.Option(help="Folding processes at a time.", min=1)] = 2,
    until: Annotated[int | None, typer.Option(help="Stop when this version of the model is out.")] = None,
    json: Json = False,
) -> None:
    """Close rounds, have them folded, publish models. Killed at any moment, another goes on."""
    from suffice.federated.checkin.root import run_root
    from suffice.federated.checkin.stores import open_store

    for version in run_root(store, task, workers, until):
        if not json:
            print(f"version {version}", flush=True)
    if json:
        deployment = open_store(store)
        print_json({"version": deployment.status(task).version, "rejections": deployment.rejections(task)})


def join(
    address: Annotated[str, typer.Argument(help="HOST:PORT of any replica.")],
    task: Task,
    config: Config,
    client: Annotated[int, typer.Option(help="Whose data of CONFIG this device holds.", min=0)] = 0,
    turns: Annotated[int, typer.Option(help="Updates to contribute.", min=1)] = 1,
    certificates: Annotated[Path | None, typer.Option(help="PEM of who signed the replica's; turns TLS on.")] = None,
    own_key: Annotated[Path | None, typer.Option(help="PEM; with --own-certificate, who this device is.")] = None,
    own_certificate: Annotated[Path | None, typer.Option(help="PEM chain, for the name device-CLIENT.")] = None,
    pace: Annotated[bool, typer.Option("--pace", help="Keep out of the way of others on this machine.")] = False,
    json: Json = False,
) -> None:
    """Be a device: check in, train, send."""
    from contextlib import nullcontext

    from suffice.federated.checkin.deployment import join as take_part
    from suffice.federated.pace import paced

    if (own_key is None) != (own_certificate is None) or (own_key is not None and certificates is None):
        raise UsageError("--own-key and --own-certificate go together, and need --certificates")
    trusted = _pem(certificates) if certificates is not None else None
    own = (_pem(own_key), _pem(own_certificate)) if own_key and own_certificate else None
    with paced() if pace else nullcontext():
        device = take_part(
            address,
            task,
            _config(config),
            client,
            turns,
            certificates=trusted,
            own=own,
            on_wait=lambda again_s, told_s: _say_it_waits(client, again_s, told_s),
        )
        outcomes = list(device)
    if json:
        print_json({"taken": sum(outcomes), "not_taken": len(outcomes) - sum(outcomes)})
    else:
        print(f"device {client}: {sum(outcomes)} updates taken")


def _say_it_waits(client: int, asks_again_in_s: float, told_s: float) -> None:
    from datetime import datetime, timedelta

    now = datetime.now()
    again, told = (f"{now + timedelta(seconds=seconds):%H:%M:%S}" for seconds in (asks_again_in_s, told_s))
    why = f"the replica spreads its devices, and would have this one back at {told}"
    print(
        f"device {client}: not wanted in this round; next try at {again}, then every {asks_again_in_s:.2g} s ({why})",
        file=sys.stderr,
    )


def _pem(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {str(path)!r}: {error.strerror}") from None


def _config(path: Path) -> FederatedConfig:
    from suffice.federated import read_config

    return read_config(path)
