"""``suffice sql QUERY``"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from suffice.cli.output import Engine, Json, OptionalTarget, Project, Sample, print_json, warnings_on_stderr


def sql(
    query: Annotated[str, typer.Argument(help="One SQL statement, or - to read it from standard input.")],
    db: OptionalTarget = None,
    project: Project = None,
    seed: Annotated[int | None, typer.Option(help="Seed of whatever is sampled.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the answer as a page with thumbnails.")] = None,
    rows: Annotated[int, typer.Option(help="Rows to print.")] = 20,
    sample: Sample = False,
    engine: Engine = "local",
    json: Json = False,
) -> None:
    """Ask a question in SQL; models run only where the answer needs them."""
    from suffice.answer.page import page, result_html
    from suffice.connection import connect

    text = sys.stdin.read() if query == "-" else query
    with connect(db, project=project, engine=engine) as con, warnings_on_stderr():
        con.sample_always = sample
        result = con.sql(text, seed=seed)
        if html is not None:
            html.write_text(page("suffice", text, result_html(result)), encoding="utf-8")
        if json:
            guarantee = result.guarantee.as_json() if result.guarantee else None
            rows_read = result.fetchall()
            answer = {
                "columns": result.columns,
                "rows": rows_read,
                "guarantee": guarantee,
                "work": result.work.as_json(),
            }
            print_json(answer if guarantee is None else {**answer, "query": text})
        else:
            result.show(rows)
