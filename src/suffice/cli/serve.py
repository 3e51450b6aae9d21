"""``suffice serve``: the studio and its API."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suffice.cli.output import OptionalTarget

if TYPE_CHECKING:
    from suffice.serve.settings import Role

app = typer.Typer(help="Serve the studio and the API; `serve models` serves models alone.", invoke_without_command=True)

Host = Annotated[str, typer.Option(help="Address to listen on; any but this machine's own needs tokens.")]


@app.callback()
def serve(
    context: typer.Context,
    db: OptionalTarget = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8321,
    root: Annotated[list[Path] | None, typer.Option(help="Folder media are read from, repeatable.")] = None,
    token: Annotated[str | None, typer.Option(help="Admin's token.", envvar="SUFFICE_TOKEN")] = None,
    run_token: Annotated[str | None, typer.Option(help="May ask.", envvar="SUFFICE_RUN_TOKEN")] = None,
    read_token: Annotated[str | None, typer.Option(help="May look.", envvar="SUFFICE_READ_TOKEN")] = None,
    lanes: Annotated[int, typer.Option(help="Statements that run at the same time.")] = 2,
    model_host: Annotated[list[str] | None, typer.Option(help="Host that HTTP models may call, repeatable.")] = None,
) -> None:
    """Open the studio on one port of this machine."""
    if context.invoked_subcommand:
        return
    _need_serve_extra()
    from suffice.serve.app import create_app
    from suffice.serve.run import run
    from suffice.serve.settings import Role, ServeSettings, is_loopback

    given = _tokens(host, {read_token: Role.READ, run_token: Role.RUN, token: Role.ADMIN})
    roots = tuple(folder.expanduser().resolve() for folder in root or [Path.cwd()])
    settings = ServeSettings(
        target=db or str(roots[0] / "studio.suffice"),
        roots=roots,
        host=host,
        port=port,
        tokens=given,
        lanes=lanes,
        model_hosts=None if is_loopback(host) and not model_host else tuple(model_host or ()),
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    run(create_app(settings), settings, "studio")


@app.command("models")
def serve_models(
    names: Annotated[list[str] | None, typer.Argument(help="Models to serve; all that work here by default.")] = None,
    db: OptionalTarget = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8322,
    token: Annotated[str | None, typer.Option(help="Callers' token.", envvar="SUFFICE_TOKEN")] = None,
) -> None:
    """Serve models alone, for `CREATE MODEL … USING 'http:…'` and other programs."""
    _need_serve_extra()
    from suffice.connection import connect
    from suffice.serve.run import run
    from suffice.serve.service.app import create_service
    from suffice.serve.settings import Role, ServeSettings

    with connect(db) as con:
        working = [name for name, problem in con.sql("SELECT name, problem FROM models").fetchall() if not problem]
        settings = ServeSettings(
            target=db or ":memory:",
            roots=(),
            host=host,
            port=port,
            tokens=_tokens(host, {token: Role.ADMIN}),
            body_bytes_max=64 << 20,
            requests_per_s=10_000,
            requests_burst=10_000,
        )
        run(create_service(settings, con.registry, names or working), settings, "models")


@app.command("mcp")
def serve_mcp(
    db: OptionalTarget = None,
    root: Annotated[list[Path] | None, typer.Option(help="Folder media are read from, repeatable.")] = None,
    calls: Annotated[int, typer.Option(help="Most model calls one question may cause.")] = 1000,
) -> None:
    """Tools for assistants over standard input and output (Model Context Protocol): ask with a budget, explain."""
    from importlib.util import find_spec

    from suffice.connection import connect
    from suffice.errors import SufficeError

    if find_spec("mcp") is None:
        raise SufficeError("serving assistants needs the mcp package: pip install 'suffice[serve]'")
    _need_serve_extra()
    from suffice.serve.mcp import create_mcp

    with connect(db, roots=root or [Path.cwd()], progress=False) as con:
        create_mcp(con, calls).run("stdio")


def _tokens(host: str, given: Mapping[str | None, Role]) -> dict[str, Role]:
    """The tokens that were given; one is made when strangers could come and none was."""
    from suffice.serve.settings import Role, is_loopback

    tokens = {token: role for token, role in given.items() if token}
    if not tokens and not is_loopback(host):
        tokens = {secrets.token_urlsafe(24): Role.ADMIN}
        print(f"token {next(iter(tokens))}", file=sys.stderr)
    return tokens


def _need_serve_extra() -> None:
    from importlib.util import find_spec

    from suffice.errors import SufficeError

    if any(find_spec(name) is None for name in ("fastapi", "uvicorn", "multipart")):
        raise SufficeError("serving needs FastAPI and uvicorn: pip install 'suffice[serve]'")
