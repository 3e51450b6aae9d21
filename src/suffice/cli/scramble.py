"""``suffice scramble TABLE``"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from suffice.cli.output import Json, OptionalTarget, print_json


def scramble(
    table: Annotated[str, typer.Argument(help="A table of the target.")],
    db: OptionalTarget = None,
    by: Annotated[str | None, typer.Option(help="A join key: order by its hash, so that joins are sampled.")] = None,
    join: Annotated[
        list[str] | None,
        typer.Option(help="'table(column, …) ON column = key': keep those columns in the copy. May be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the order; equal seeds give equal copies.")] = 0,
    drop: Annotated[bool, typer.Option("--drop", help="Drop the copy instead.")] = False,
    json: Json = False,
) -> None:
    """Copy a table in random order, so that WITHIN reads a small part of it; run again after the table has changed."""
    from suffice.connection import connect

    with connect(db) as con:
        if drop:
            con.drop_scramble(table)
            done: dict[str, object] = {"table": table, "dropped": True}
            said = f"the scramble of {table} is dropped"
        else:
            started = time.perf_counter()
            built = con.scramble(table, by=by, joins=join, seed=seed)
            seconds = time.perf_counter() - started
            known = built.known
            done = {"table": table, "rows": known.rows, "always_read": known.certain, "was_fresh": built.was_fresh}
            done["seconds"] = round(seconds, 3)
            said = (
                f"{table}: {known.rows:,} rows, of which {known.certain:,} are always read, "
                f"{'is fresh' if built.was_fresh else f'scrambled in {seconds:.1f} s'}"
            )
    if json:
        print_json(done)
    else:
        print(said)
