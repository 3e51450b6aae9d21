"""``suffice store``: what is kept, and how to let go of it."""

from __future__ import annotations

from typing import Annotated

import typer

from suffice.cli.output import Json, Target, print_json

app = typer.Typer(help="Show what the store keeps; drop by model, age or file.", invoke_without_command=True)


@app.callback()
def store(context: typer.Context, db: Target = ":memory:", json: Json = False) -> None:
    """Size, models, hit rates."""
    if context.invoked_subcommand:
        return
    from suffice.connection import connect

    with connect(db) as con:
        summary = con.store.summary()
        if json:
            print_json(summary)
            return
        con.sql("FROM store").show(1000)
        print(f"{summary['files']:,} files, {summary['blobs']:,} blobs, {summary['bytes'] / 1e6:,.1f} MB on disk")


@app.command()
def drop(
    db: Target,
    model: Annotated[str | None, typer.Option(help="Results of this model, all versions.")] = None,
    unused_days: Annotated[float | None, typer.Option(help="Results not used for so many days.")] = None,
    file: Annotated[str | None, typer.Option(help="Everything computed on this file.")] = None,
    json: Json = False,
) -> None:
    """Drop kept results by model, age or file."""
    from suffice.connection import connect
    from suffice.errors import UsageError

    if model is None and unused_days is None and file is None:
        raise UsageError("say what to drop: --model NAME, --unused-days N or --file PATH")
    with connect(db) as con:
        dropped = con.store.drop(model=model, unused_days=unused_days, file=file)
        if json:
            print_json({"dropped_inputs": dropped})
        else:
            print(f"{dropped:,} kept inputs dropped")
