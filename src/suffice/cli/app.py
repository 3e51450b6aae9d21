"""The commands, mounted."""

from __future__ import annotations

import typer

from suffice.cli import (
    animate,
    audit,
    bench,
    check,
    dataset,
    demo,
    explain,
    federate,
    inpaint,
    mask,
    masks,
    models,
    pace,
    regional,
    scramble,
    semantic,
    serve,
    sql,
    store,
    tour,
)

app = typer.Typer(
    name="suffice",
    help="Just enough compute for the answer you asked for: SQL over video, pictures, documents and tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("demo")(demo.demo)
app.command("tour")(tour.tour)
app.command("sql")(sql.sql)
app.command("explain")(explain.explain)
app.command("scramble")(scramble.scramble)
app.command("audit")(audit.audit)
app.command("models")(models.models)
app.add_typer(store.app, name="store")
app.command("check")(check.check)
app.command("mask")(mask.mask)
app.add_typer(masks.app, name="masks")
app.command("semantic")(semantic.semantic)
app.command("dataset")(dataset.dataset)
app.command("animate")(animate.animate)
app.command("inpaint")(inpaint.inpaint)
app.add_typer(regional.app, name="regional")
app.add_typer(federate.app, name="federate")
app.command("pace", context_settings=pace.SETTINGS)(pace.pace)
app.add_typer(serve.app, name="serve")
app.command("bench")(bench.bench)
