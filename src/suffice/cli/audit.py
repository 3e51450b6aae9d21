"""``suffice audit QUERY`` or ``suffice audit ANSWER.json``"""

from __future__ import annotations

import json as js
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from suffice.cli.output import Json, OptionalTarget, Project, Sample, print_json, warnings_on_stderr
from suffice.errors import UsageError

if TYPE_CHECKING:
    from suffice.answer.audit import Audit
    from suffice.connection import Connection


def audit(
    query: Annotated[str, typer.Argument(help="A statement with a target, or a file that `suffice sql --json` wrote.")],
    db: OptionalTarget = None,
    project: Project = None,
    seed: Annotated[int | None, typer.Option(help="Of the answer to audit.")] = None,
    sample: Sample = False,
    json: Json = False,
) -> None:
    """Run the exact query beside an answer with a guarantee and say whether every interval held."""
    from suffice.connection import connect

    with connect(db, project=project) as con, warnings_on_stderr():
        con.sample_always = sample
        found = _saved(con, Path(query)) if query.endswith(".json") else con.audit(con.sql(query, seed=seed))
    if json:
        print_json(found.as_json())
    else:
        _show(found)


def _saved(con: Connection, path: Path) -> Audit:
    from suffice.answer.allowed_rows import allowed_rows
    from suffice.answer.audit import audit as compare
    from suffice.sql.target import split_target

    answer = _read(path)
    text, _ = split_target(answer["query"])
    guarantee = answer["guarantee"]
    error = guarantee["target"].get("error_relative_max")
    exact, columns, rows = allowed_rows(text, con.sql), answer["columns"], answer["rows"]
    return compare(columns, rows, guarantee["intervals"], exact.rows, error, needed=exact.needed)


def _read(path: Path) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = js.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read as an answer: {error}") from None
    if not answer.get("guarantee") or "query" not in answer:
        raise UsageError(f"{path}: this answer has no guarantee to audit")
    return answer


def _show(found: Audit) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, header_style="bold")
    for name in ("row", "column", "answered", "low", "high", "exact", "error", "held"):
        table.add_column(name, justify="left" if name in ("row", "column") else "right", overflow="fold")
    for one in found.checked:
        error = "" if one.error_relative is None else f"{one.error_relative:.3%}"
        numbers = ("NULL" if x is None else f"{float(x):,.5g}" for x in (one.answered, one.low, one.high, one.exact))
        table.add_row(", ".join(map(str, one.key)), one.column, *numbers, error, "yes" if one.held else "NO")
    console = Console()
    console.print(table)
    console.print("every interval held" if found.held else "NOT every interval held", style="bold", highlight=False)
    for what, rows in (("not in the answer", found.rows_missing), ("not in the exact answer", found.rows_wrong)):
        if rows:
            console.print(f"{len(rows):,} rows {what}: {', '.join(map(str, rows[:3]))}", highlight=False)
