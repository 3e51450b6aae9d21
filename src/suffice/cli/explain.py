"""``suffice explain QUERY``"""

from __future__ import annotations

from typing import Annotated

import typer

from suffice.cli.output import Json, OptionalTarget, Project, Sample, print_json, warnings_on_stderr


def explain(
    query: Annotated[str, typer.Argument(help="One SQL statement.")],
    db: OptionalTarget = None,
    project: Project = None,
    analyze: Annotated[bool, typer.Option(help="Run it, and show the actual work beside the prediction.")] = False,
    sample: Sample = False,
    json: Json = False,
) -> None:
    """Show what a question will cost before it costs it."""
    from suffice.connection import connect

    with connect(db, project=project) as con, warnings_on_stderr():
        con.sample_always = sample
        plan = con.explain(query, analyze=analyze)
    if json:
        print_json({"plan": plan.splitlines()})
    else:
        print(plan)
